"""Our loadables beside the real compiler's: the same output bytes on the chip, for every recorded input.

Nets where the real compiler is wrong, or where ours does something else on purpose, are named with a reason;
each of them must differ, so that the list stays true.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.runtime.session import Runtime
from tests.compiler.nets import Case, cases

ALWAYS_JOINED = "the default profile of the real compiler keeps every layer apart, ours joins them always"
IMAGE_BN = "on an image the real compiler rounds between convolution and BatchNorm (per-kernel: section 8.12)"
ROW_BUG = "the real compiler mixes up the rows of a 5x5 kernel on an image (section 8.2)"
POOL_SCALE = "pooling layers have scales of their own, which the real compiler takes for made (section 8.3)"
CONCAT = "the real compiler leaves each part of a concatenation its own scale (section 8.4)"
ELTWISE = "the real compiler forces one operand's scale on the other (section 8.5)"
TABLES = "the real compiler's tables for int8 are empty (section 8.8)"
GROUPS = "the real compiler quantises a part of the weights of a grouped convolution (section 8.1)"
GLOBAL_AVERAGE = "ours gives a global average a scale of its own"
SPREAD = "ours gives filters of very different size two stages (section 8.11)"

LEFT_OUT = {
    "concat": CONCAT,
    "concat_img": CONCAT,
    "concat_odd": CONCAT,
    "conv_bn_scale": IMAGE_BN,
    "conv_depthwise": GROUPS,
    "conv_group2": GROUPS,
    "conv_lrelu": "the real compiler ignores the slope (section 8.16)",
    "conv_sigmoid": TABLES,
    "conv_tanh": TABLES,
    "eltwise_coeff": ELTWISE,
    "eltwise_prod": "the real compiler forgets a scale (section 8.6)",
    "eltwise_sum": ELTWISE,
    "eltwise_sum3": ELTWISE,
    "eltwise_sum_input": ELTWISE,
    "eltwise_sum_relu": ELTWISE,
    "mini_mobilenet": GROUPS,
    "pool_ave_global": GLOBAL_AVERAGE,
    "power_scale": "the real compiler ignores the scale (section 8.16)",
    "resnet_cifar": ELTWISE,
    "scale_bias": "ours adds the bias in finer steps",
}


def left_out(case: Case) -> str | None:
    """Why this loadable's outputs are not to be equal, None if they are."""
    if case.net in LEFT_OUT:
        return LEFT_OUT[case.net]
    if case.net == "conv_bn_scale_relu" and case.variant == "default":
        return ALWAYS_JOINED
    if case.net in ("conv_pf_spread", "conv_wconst0") and case.mode == "per-filter":
        return SPREAD
    if case.net == "lenet" and case.config != "nv_small":
        return ROW_BUG
    if case.net == "lenet" and case.variant != "nvcal":
        return POOL_SCALE
    return None


def recorded(case: Case) -> list[tuple[Path, Path]]:
    """Input file and the text that the real stack printed for it."""
    stem = case.real.name.removesuffix(".nvdla")
    pairs = []
    for text in sorted(case.real.parent.glob(f"{stem}.*.output.dimg")):
        name = text.name[len(stem) + 1 : -len(".output.dimg")]
        files = [case.real.parent / f"{name}{ending}" for ending in (".i8.npy", ".pgm", ".jpg")]
        pairs += [(file, text) for file in files if file.exists()]
    return pairs


CASES = [case for case in cases() if recorded(case)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_same_bytes(case: Case) -> None:
    runtime = Runtime(case.compile(), case.config)
    equal = []
    for source, text in recorded(case):
        outputs = runtime.run(np.load(source) if source.suffix == ".npy" else source)
        if case.net == "two_outputs":
            outputs.reverse()  # the real compiler numbers several outputs by chance
        equal.append(outputs[0].values.reshape(-1).tolist() == [int(n) for n in text.read_text().split()])
    if left_out(case) is None:
        assert all(equal)
    else:
        assert not all(equal)


def test_enough_is_equal(record_property) -> None:
    """Says how many: 218 of the 382 loadables with recorded outputs when this was written."""
    equal = sum(left_out(case) is None for case in CASES)
    record_property("equal", equal)
    if CASES:
        assert equal >= 218
