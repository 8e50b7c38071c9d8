#!/usr/bin/env python3
"""Measure the kernels, side by side with onnxruntime's int8 kernels where those are installed.

    python tools/bench.py [--config NAME] [--isa NAME] [--rounds N] [--loadable FILE] [--zoo DIR]

prints for every convolution of ResNet-50 its time and rate on one thread, the peer's (a QLinearConv of the
same shape) and the ratio of the times, then the sums weighted by how often each occurs. Whole nets: with
--loadable that loadable is timed, against a ResNet-18 of onnxruntime; with --zoo the ResNet-18 and ResNet-50
that tools/zoo.py has written to DIR are compiled and timed, each against onnxruntime's. All contenders take
turns in one process; times are minima.

onnxruntime is optional: pip install onnxruntime onnx.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from nvdla_sim.hw.config import Config
    from nvdla_sim.hw.kernels.microkernel import Isa
    from nvdla_sim.loadable.loadable import Loadable

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

Contender = Callable[[], object]


class Shape(NamedTuple):
    """A square convolution, and how often ResNet-50 has it."""

    channels: int
    kernels: int
    kernel: int
    stride: int
    pad: int
    size: int  # of the input
    count: int

    @property
    def out(self) -> int:
        return (self.size + 2 * self.pad - self.kernel) // self.stride + 1

    @property
    def macs(self) -> int:
        return self.kernels * self.channels * self.kernel**2 * self.out**2


RESNET_50 = [
    Shape(*numbers)
    for numbers in (
        (4, 64, 7, 2, 3, 224, 1), (64, 256, 1, 1, 0, 56, 4), (64, 64, 1, 1, 0, 56, 1),
        (64, 64, 3, 1, 1, 56, 3), (256, 64, 1, 1, 0, 56, 2), (256, 512, 1, 2, 0, 56, 1),
        (256, 128, 1, 2, 0, 56, 1), (128, 128, 3, 1, 1, 28, 4), (128, 512, 1, 1, 0, 28, 4),
        (512, 128, 1, 1, 0, 28, 3), (512, 1024, 1, 2, 0, 28, 1), (512, 256, 1, 2, 0, 28, 1),
        (256, 256, 3, 1, 1, 14, 6), (256, 1024, 1, 1, 0, 14, 6), (1024, 256, 1, 1, 0, 14, 5),
        (1024, 2048, 1, 2, 0, 14, 1), (1024, 512, 1, 2, 0, 14, 1), (512, 512, 3, 1, 1, 7, 3),
        (512, 2048, 1, 1, 0, 7, 3), (2048, 512, 1, 1, 0, 7, 2), (2048, 1000, 1, 1, 0, 1, 1),
    )
]  # fmt: skip
RESNETS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}  # blocks of each stage
IMAGE = 4  # channels of the first convolution: pixels of four bytes


def best_times(contenders: Sequence[Contender], rounds: int) -> list[float]:
    """Seconds of each contender's fastest run; they take turns, each after a run that is not counted."""
    best = [float("inf")] * len(contenders)
    for _ in range(rounds):
        for at, contender in enumerate(contenders):
            contender()
            begin = time.perf_counter()
            contender()
            best[at] = min(best[at], time.perf_counter() - begin)
    return best


def our_convolution(config: Config, isa: Isa, shape: Shape) -> Contender:
    """The convolution with bias, ReLU and requantisation, on random data."""
    from nvdla_sim.hw.conv import ConvLayer
    from nvdla_sim.hw.kernels.program import prepare
    from nvdla_sim.hw.launch import Launch
    from nvdla_sim.hw.memory import Memory, Ports
    from nvdla_sim.hw.pixel import PIXEL_FORMATS
    from nvdla_sim.hw.sdp import AluOp, Converter, OperandMemory, SdpLayer, XStage
    from nvdla_sim.hw.surface import Surface

    data, weights, biases, result = (n << 28 for n in (1, 2, 3, 4))
    random = np.random.default_rng(0)
    channels, kernels, kernel, stride, pad, size, _ = shape
    image = channels == IMAGE
    line = size * (IMAGE if image else config.atom)
    in_surfaces, out_surfaces = (-(-c // config.atom) for c in (1 if image else channels, kernels))
    folded = (1, kernel, kernel * channels) if image else (kernel, kernel, channels)
    conv = ConvLayer(
        winograd=False, pixels=PIXEL_FORMATS[12] if image else None, in_itemsize=1, itemsize=1,
        ram_type=1, address=data, address_1=0, line_stride=line, uv_line_stride=0, surf_stride=line * size,
        width=size, height=size, channels=channels, batches=1, batch_stride=0, pixel_x_offset=0,
        pixel_signed=True, convert=image, cvt_offset=(0,), cvt_scale=1, cvt_truncate=0,
        pad_left=pad, pad_right=pad, pad_top=pad, pad_bottom=pad, pad_value=0,
        ext_width=size, ext_height=size, ext_channels=channels, channel_stride_x=1, channel_stride_y=1,
        stride_x=stride, stride_y=stride, dilation_x=1, dilation_y=1, pra_truncate=0,
        weight_ram_type=1, weight_address=weights, weight_bytes=kernels * channels * kernel**2,
        kernels=kernels, kernel_width=folded[0], kernel_height=folded[1], kernel_channels=folded[2],
        rows_per_step=1, compressed=False, wmb_address=0, wmb_bytes=0, wgs_address=0,
        entries_per_slice=1, data_banks=1, weight_banks=1, data_reuse=False, weight_reuse=False,
        skip_data_release=False, skip_weight_release=False, release_slices=size,
        out_width=shape.out, out_height=shape.out, clip_truncate=0,
    )  # fmt: skip
    bias = OperandMemory(Surface(biases, 2 * config.atom, 2 * config.atom, 1), False, 2, False)
    # spreads the results over int8
    shift = round(np.log2(20000 * np.sqrt(channels * kernel**2) * 73 * 30 / 45))
    sdp = SdpLayer(
        width=shape.out, height=shape.out, channels=kernels, batches=1,
        source=None, source_itemsize=1, itemsize=1,
        x1=XStage(AluOp.SUM, None, 0, False, None, False, 0, True, bias), x2=None, y=None,
        cvt=Converter(0, 20000, shift), out_itemsize=1,
        destination=Surface(result, shape.out * config.atom, shape.out**2 * config.atom, 1),
        destination_batch_stride=0, to_pdp=False, winograd=False, count_saturation=False, count_lut=False,
    )  # fmt: skip
    dram = Memory()
    dram.map(data, random.integers(0, 256, in_surfaces * line * size, np.uint8))
    dram.map(weights, random.integers(0, 256, conv.weight_bytes, np.uint8))
    dram.map(biases, random.integers(-1000, 1000, out_surfaces * config.atom).astype(np.int16).view(np.uint8))
    dram.map(result, np.zeros(out_surfaces * shape.out**2 * config.atom, np.uint8))
    return prepare(config, Launch(conv=conv, sdp=sdp), Ports(dram, Memory()), isa)


class PeerNet:
    """An int8 network for onnxruntime (u8 data, s8 weights), random, built layer by layer."""

    def __init__(self, channels: int, size: int) -> None:
        from onnx import TensorProto, helper, numpy_helper

        self._helper, self._types, self._to_tensor = helper, TensorProto, numpy_helper.from_array
        self._random = np.random.default_rng(0)
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._names = 0
        self._shapes = {"data": (channels, size, size)}
        self._scale = self._constant(np.float32(0.05))
        self._zero_u8, self._zero_s8 = self._constant(np.uint8(128)), self._constant(np.int8(0))

    def _constant(self, value: Any) -> str:
        self._names += 1
        name = f"c{self._names}"
        self._constants.append(self._to_tensor(np.asarray(value), name))
        return name

    def _node(
        self, kind: str, inputs: list[str], shape: tuple[int, int, int], domain: str = "", **more: Any
    ) -> str:
        self._names += 1
        name = f"t{self._names}"
        self._nodes.append(self._helper.make_node(kind, inputs, [name], domain=domain, **more))
        self._shapes[name] = shape
        return name

    def convolution(self, of: str, kernels: int, kernel: int, stride: int, pad: int) -> str:
        channels, size, _ = self._shapes[of]
        weights = self._random.integers(-127, 128, (kernels, channels, kernel, kernel)).astype(np.int8)
        bias = self._random.integers(-1000, 1000, kernels).astype(np.int32)
        weight_scale = self._constant(np.float32(1 / (73 * 1.5 * np.sqrt(channels * kernel**2))))
        inputs = [of, self._scale, self._zero_u8, self._constant(weights), weight_scale, self._zero_s8]
        inputs += [self._scale, self._zero_u8, self._constant(bias)]
        out = (size + 2 * pad - kernel) // stride + 1
        window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        return self._node("QLinearConv", inputs, (kernels, out, out), **window)

    def addition(self, a: str, b: str) -> str:
        inputs = [a, self._scale, self._zero_u8, b, self._scale, self._zero_u8, self._scale, self._zero_u8]
        return self._node("QLinearAdd", inputs, self._shapes[a], "com.microsoft")

    def maximum(self, of: str) -> str:
        channels, size, _ = self._shapes[of]
        window = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
        return self._node("MaxPool", [of], (channels, size // 2, size // 2), **window)

    def average(self, of: str) -> str:
        inputs = [of, self._scale, self._zero_u8, self._scale, self._zero_u8]
        return self._node("QLinearGlobalAveragePool", inputs, (self._shapes[of][0], 1, 1), "com.microsoft")

    def contender(self, out: str) -> Contender:
        """One run on one thread."""
        import onnxruntime

        def value(name: str) -> Any:
            return self._helper.make_tensor_value_info(name, self._types.UINT8, (1, *self._shapes[name]))

        graph = self._helper.make_graph(self._nodes, "net", [value("data")], [value(out)], self._constants)
        domains = [self._helper.make_opsetid("", 17), self._helper.make_opsetid("com.microsoft", 1)]
        model = self._helper.make_model(graph, opset_imports=domains, ir_version=8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        data = self._random.integers(0, 256, (1, *self._shapes["data"])).astype(np.uint8)
        return lambda: session.run(None, {"data": data})


def peer_convolution(shape: Shape) -> Contender:
    net = PeerNet(3 if shape.channels == IMAGE else shape.channels, shape.size)
    return net.contender(net.convolution("data", shape.kernels, shape.kernel, shape.stride, shape.pad))


def peer_resnet(name: str) -> Contender:
    """A residual net of He et al., "Deep Residual Learning for Image Recognition", as Caffe has it."""
    net = PeerNet(3, 224)
    x, channels = net.maximum(net.convolution("data", 64, 7, 2, 3)), 64
    bottleneck = name == "resnet50"
    for stage, blocks in enumerate(RESNETS[name]):
        inner = 64 << stage
        outer = 4 * inner if bottleneck else inner
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            shortcut = x if channels == outer else net.convolution(x, outer, 1, stride, 0)
            if bottleneck:
                x = net.convolution(net.convolution(x, inner, 1, stride, 0), inner, 3, 1, 1)
                x = net.convolution(x, outer, 1, 1, 0)
            else:
                x = net.convolution(net.convolution(x, inner, 3, stride, 1), inner, 3, 1, 1)
            x, channels = net.addition(x, shortcut), outer
    return net.contender(net.convolution(net.average(x), 1000, 1, 1, 0))


def bench_shapes(config: Config, isa: Isa, rounds: int, peer: bool) -> None:
    print(f"{config.name}, {isa.name} kernels, one thread" + (", peer: onnxruntime int8" if peer else ""))
    sums, macs = np.zeros(2), 0
    for shape in RESNET_50:
        contenders = [our_convolution(config, isa, shape)] + ([peer_convolution(shape)] if peer else [])
        times = best_times(contenders, rounds)
        sums[: len(times)] += np.array(times) * shape.count
        macs += shape.macs * shape.count
        text = (
            f"{shape.kernel}x{shape.kernel} s{shape.stride} {shape.channels}->{shape.kernels} @{shape.size}"
        )
        print(f"{text:26} x{shape.count} {_rates(times, shape.macs)}")
    print(f"{'all':26}    {_rates(list(sums[: len(times)]), macs)}")


def _rates(times: list[float], macs: int) -> str:
    text = f"{times[0] * 1e6:9.1f} us {macs / times[0] / 1e9:5.0f} GMAC/s"
    if len(times) > 1:
        text += f"    peer {times[1] * 1e6:9.1f} us   ratio {times[0] / times[1]:.2f}"
    return text


def bench_zoo(zoo: Path, target: str, rounds: int, peer: bool) -> None:
    import nvdla_sim

    for name in RESNETS:
        files = [str(zoo / name / file) for file in ("deploy.prototxt", "net.caffemodel", "calib.json")]
        begin = time.perf_counter()
        loadable = nvdla_sim.compile(*files[:2], calibration=files[2], target=target)
        print(f"{name}: compiled in {time.perf_counter() - begin:.1f} s")
        bench_net(name, loadable, name, rounds, peer)


def bench_net(title: str, loadable: Loadable, resnet: str, rounds: int, peer: bool) -> None:
    """Time a whole net against the peer's ``resnet``."""
    from nvdla_sim.runtime.session import Runtime

    begin = time.perf_counter()
    runtime = Runtime(loadable)
    loaded = time.perf_counter()
    tensor = runtime.inputs[0].tensor
    image = np.random.default_rng(0).integers(-128, 128, (tensor.c, tensor.h, tensor.w), np.int8)
    runtime.run(image)
    print(f"{title}: loaded in {loaded - begin:.2f} s, first run {time.perf_counter() - loaded:.2f} s")
    contenders: list[Contender] = [lambda: runtime.run(image), *([peer_resnet(resnet)] if peer else [])]
    times = best_times(contenders, rounds)
    text = f"{times[0] * 1e3:.2f} ms per image"
    if peer:
        text += f"    {resnet} of the peer {times[1] * 1e3:.2f} ms   ratio {times[0] / times[1]:.2f}"
    print(text)


def main(arguments: list[str] | None = None) -> int:
    from nvdla_sim.cli._command import command_parser, run_command

    parser = command_parser("bench.py", __doc__ or "")
    parser.add_argument("--config", default="nv_large", help="hardware configuration (default: %(default)s)")
    parser.add_argument("--isa", help='form of the kernels, "vnni" or "portable" (default: the best)')
    parser.add_argument(
        "--rounds", type=int, default=20, help="runs of each contender (default: %(default)s)"
    )
    parser.add_argument("--loadable", metavar="FILE", type=Path, help="time this loadable, too")
    parser.add_argument("--zoo", metavar="DIR", type=Path, help="time these resnet18 and resnet50, too")

    def work(options: argparse.Namespace) -> None:
        from nvdla_sim.errors import one_of
        from nvdla_sim.hw.config import config_named
        from nvdla_sim.hw.kernels.microkernel import best_isa, isa_named
        from nvdla_sim.loadable.loadable import Loadable

        isa = (
            isa_named(one_of("form", options.isa, sorted({"portable", best_isa().name})))
            if options.isa
            else best_isa()
        )
        try:
            import onnx
            import onnxruntime

            peer = bool(onnx and onnxruntime)
        except ImportError:
            peer = False
        bench_shapes(config_named(options.config), isa, options.rounds, peer)
        if options.loadable:
            loadable = Loadable.load(options.loadable)
            bench_net(options.loadable.name, loadable, "resnet18", options.rounds, peer)
        if options.zoo:
            bench_zoo(options.zoo, options.config, options.rounds, peer)

    return run_command(parser, work, arguments)


if __name__ == "__main__":
    sys.exit(main())
