"""Which of the real compiler's loadables ours is not to equal, and why.

Sections are compiler-facts'. Where ours differs on purpose its outputs are nearer to the float net's.
"""

from __future__ import annotations

from tests.compiler.nets import Case

CONCAT = "the real compiler leaves each part of a concatenation its own scale (section 8.4)"
ELTWISE = "the real compiler forces one operand's scale on the other (section 8.5)"
TABLES = "the real compiler's tables for int8 are empty (section 8.8)"
GROUPS = "the real compiler quantises only a part of a grouped convolution's weights (section 8.1)"
NETS = {
    "concat": CONCAT,
    "concat_img": CONCAT,
    "concat_odd": CONCAT,
    "conv_bn_scale": "on an image the real compiler rounds between convolution and BatchNorm (section 8.12)",
    "conv_depthwise": GROUPS,
    "conv_group2": GROUPS,
    "conv_lrelu": "the real compiler ignores the slope (section 8.16)",
    "conv_sigmoid": TABLES,
    "conv_tanh": TABLES,
    "eltwise_coeff": ELTWISE,
    "eltwise_prod": "the real compiler forgets a scale (section 8.6)",
    "eltwise_sum": ELTWISE,
    "eltwise_sum3": "the real compiler takes the third operand for an output (section 8.16)",
    "eltwise_sum_input": ELTWISE,
    "eltwise_sum_relu": ELTWISE,
    "mini_inception": CONCAT,
    "mini_mobilenet": GROUPS,
    "power_scale": "the real compiler ignores the scale (section 8.16)",
    "resnet_cifar": ELTWISE,
    "scale_bias": "ours adds the bias in finer steps, on purpose",
}

# The same outputs by other operations.
OTHER_OPERATIONS = {
    "conv_feat_big": "ours may cut the rows elsewhere",
    "deconv": "ours needs no Rubik",
    "pool_max9": "the real loadable cannot run",
    "conv_softmax_conv": "the real loadable cannot run",
    "relu_only": "ours has one factor in a register",
}


def left_out(case: Case) -> str | None:
    """Why this loadable's outputs are not to be equal, None if they are."""
    if case.net in NETS:
        return NETS[case.net]
    if case.net == "conv_bn_scale_relu" and case.variant == "default":
        return "the default profile of the real compiler keeps every layer apart; ours joins them always"
    if case.net == "pool_ave_global" or (case.net == "pool_ave_pad" and case.variant == ""):
        return "ours gives an average the scale of its own that the table has, on purpose (section 8.3)"
    if case.net == "conv_pf_spread" and case.mode == "per-filter":
        return "ours gives filters of very different size two stages, on purpose (section 8.11)"
    if case.net == "conv_wconst0" and case.mode == "per-filter":
        return "the real compiler makes a filter of zeros -128 and loses its bias (section 8.11)"
    if case.net == "lenet-mnist" and case.config != "nv_small" and case.variant != "nchw":
        return "the real compiler mixes up the rows of a 5x5 kernel on an image (section 8.2)"
    if case.net == "lenet" and case.config != "nv_small":
        return "the real compiler mixes up the rows of a 5x5 kernel on an image (section 8.2)"
    if case.net == "lenet" and case.variant != "nvcal":
        return "its pooling layers have scales of their own, which PDP cannot make (section 8.3)"
    return None
