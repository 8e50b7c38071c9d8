"""Which net each golden recipe is, and which are none."""

from __future__ import annotations

from fnmatch import fnmatch

from nvdla_sim.graph.ops.absval import AbsVal
from nvdla_sim.graph.ops.clip import Clip
from nvdla_sim.graph.ops.elu import ELU
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.relu6 import ReLU6
from nvdla_sim.graph.ops.sigmoid import Sigmoid
from nvdla_sim.graph.ops.tanh import TanH
from nvdla_sim.graph.ops.upsample import Upsample
from tests.compiler import recipe_layers as layers
from tests.compiler import recipe_windows as windows
from tests.compiler.recipe_net import RecipeNet
from tests.compiler.recipes import Recipe

# By patterns of their keys; the first that fits counts.
NETS: dict[str, layers.Build] = {
    "01-smallest/no_constants_no_events": layers.rescale(0.5),
    "01-smallest/*": windows.convolution,
    "02-eltwise/sum3_*": layers.sum_of_three,
    "02-eltwise/broadcast_*": layers.broadcast,
    "02-eltwise/fused_conv_*": layers.sum_behind_convolution,
    "02-eltwise/*": layers.eltwise,
    "03-prelu-x/conv_leaky_layer": layers.behind_convolution(ReLU(0.1)),
    "03-prelu-x/conv_clip_min": layers.behind_convolution(Clip(0.0, 2.0)),
    "03-prelu-x/power_linear": layers.power,
    "03-prelu-x/*prelu*": layers.prelu,
    "03-sdp-y-lut/sigmoid": layers.table_behind_convolution(Sigmoid()),
    "03-sdp-y-lut/tanh": layers.table_behind_convolution(TanH()),
    "03-unary-cdp-lut/sigmoid": layers.layer(Sigmoid()),
    "03-unary-cdp-lut/tanh": layers.layer(TanH()),
    "03-unary-cdp-lut/leaky_relu": layers.layer(ReLU(0.1)),
    "03-unary-cdp-lut/elu": layers.layer(ELU()),
    "03-unary-cdp-lut/relu6": layers.layer(ReLU6()),
    "03-unary-cdp-lut/absval": layers.layer(AbsVal()),
    "04-lrn/*": layers.lrn,
    "05-group-depthwise/dw_*": windows.depthwise,
    "05-group-depthwise/group*": windows.groups,
    "06-concat-slice/concat*": windows.concat,
    "06-concat-slice/slice*": layers.slice_channels,
    "07-deconv-upsample/deconv*": windows.deconvolution,
    "07-deconv-upsample/nearest_x2": layers.layer(Upsample((2, 2))),
    "07-deconv-upsample/nearest_x3": layers.layer(Upsample((3, 3))),
    "07-deconv-upsample/broadcast_1x1": windows.spread_pixel,
    "07-deconv-upsample/bilinear_x2_depthwise": windows.bilinear,
    "07-deconv-upsample/space_to_depth2": windows.space_to_depth,
    "08-pooling/gap13": layers.average(13),
    "08-pooling/ave7_*": layers.average(7),
    "08-pooling/ave_k3s2p0_*": layers.average(3, 2),
    "08-pooling/ave_k3s2p1_*": layers.average(3, 2, 1),
    "08-pooling/ave_k2s2p0_*": layers.average(2, 2),
    "08-pooling/max11_global": layers.maximum(11),
    "08-pooling/max11_s2_p5": layers.maximum(11, 2, 5),
    "08-pooling/max16_stride": layers.maximum(16, 16),
    "08-pooling/*": layers.pool,
    "09-big-kernels/fc25088_split_k": windows.two_inner_products,
    "09-big-kernels/conv3x3x2048_split_k": windows.cut_by_kernels,
    "10-wide-spread/*": windows.wide_spread,
    "11-dla-cpu-dla/conv_softmax*": windows.softmax,
    "11-dla-cpu-dla/two_dla_tasks": windows.two_convolutions,
    "12-multi-io/two_in_two_out": windows.two_in_two_out,
    "12-multi-io/one_in_three_out": windows.one_in_three_out,
    "13-race/*": layers.sum_with_own_source,
    "14-misc/scale_copy": layers.rescale(),
    "14-misc/offset_copy": layers.rescale(shift=7.0),
    "14-misc/crop_sdp": layers.crop(2, 3, 3, 4),
    "14-misc/crop_conv": layers.crop(1, 2, 5, 6),
    "14-misc/conv_stride16_via_8": windows.stride_in_two_steps,
    "14-misc/*": windows.convolution,
    "15-image/*": windows.convolution,
}

INTEGERS = "only integers are recorded, not what they mean"
NO_NET = {
    "02-eltwise/in_place": "writes over its operands: a matter of memory",
    "03-sdp-y-lut/sdp_lut_then_cdp_lut": INTEGERS,
    "03-unary-cdp-lut/in_place": INTEGERS,
    "03-unary-cdp-lut/three_ops_two_luts": INTEGERS,
    "08-pooling/fly_fly_elt": INTEGERS,
    "11-dla-cpu-dla/emu_first": INTEGERS,
    "11-dla-cpu-dla/luts_in_two_tasks": INTEGERS,
    "13-chain/serial": "integers through three buffers: a matter of dependencies",
    "14-misc/pad_val_-77": "no layer pads with anything but 0",
    "14-misc/pad_val_33": "no layer pads with anything but 0",
    "14-misc/paste": "no layer writes into a larger tensor",
    "15-image/img_mean_scale": "the chip subtracts the mean of raw pixels; a net's input is int8",
}


def recipe_net(recipe: Recipe, whole: bool = False) -> RecipeNet:
    """The recipe as a net; ``whole`` as ``RecipeNet`` has it."""
    net = RecipeNet(recipe, whole)
    build = next(build for pattern, build in NETS.items() if fnmatch(recipe.key, pattern))
    build(net)
    return net
