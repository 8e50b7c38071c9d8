"""The configuration that a loadable is taken for."""

from __future__ import annotations

import numpy as np
import pytest

from nvdla_sim.loadable.entries import SOURCE_MAP
from nvdla_sim.loadable.enums import ConvMode, OpType, PixelFormat, WeightFormat
from nvdla_sim.loadable.lists import read_task
from nvdla_sim.loadable.loadable import Blob, Loadable
from nvdla_sim.runtime.target import Target, infer_target
from tests.runtime.editing import change_network, change_node, change_op, change_surface, committed


def inferred(loadable: Loadable) -> tuple[str, str]:
    target: Target = infer_target(loadable, [read_task(loadable, task) for task in loadable.tasks])
    return target.config.name, target.reason


@pytest.mark.parametrize(
    ("net", "stem", "name", "reason"),
    [
        ("conv_1ch", "nv_small.int8-pk", "nv_small", "atoms of 8 bytes"),
        ("conv_bias_bn_scale", "nv_full.int8-pf", "nv_full", "128-byte buffer entries"),
        ("conv_4ch", "nv_large.int8-pf", "nv_large", "nothing needs nv_full"),
        ("deconv", "nv_full.int8-pf", "nv_full", "128-byte buffer entries"),
        ("deconv", "nv_small.int8-pk", "nv_small", "atoms of 8 bytes"),
        ("conv_feat", "nv_small.int8-pk.b2", "nv_small", "atoms of 8 bytes"),
    ],
)
def test_real_loadables(net: str, stem: str, name: str, reason: str) -> None:
    assert inferred(committed(net, stem))[0] == name
    assert reason in inferred(committed(net, stem))[1]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"conv_mode": ConvMode.WINOGRAD}, "Winograd"),
        ({"weight_format": WeightFormat.COMPRESSED}, "compressed"),
        ({"batch": 2}, "several images"),
    ],
)
def test_what_only_nv_full_has(fields: dict[str, int], reason: str) -> None:
    loadable = committed("conv_4ch", "nv_large.int8-pf")
    change_op(loadable, 0, OpType.CONV, **fields)
    name, why = inferred(loadable)
    assert name == "nv_full"
    assert reason in why


@pytest.mark.parametrize(
    ("channels", "entries", "name"),
    [
        # surfaces of 9 pixels: 2 to an entry in nv_large, 4 in nv_full, where 3 take as much as 4
        (96, 9 + 5, "nv_large"),
        (96, 9, "nv_full"),
        (64, 9, "nv_large"),
        (64, 5, "nv_full"),
        (32, 3, "nv_full"),
        (160, 9 + 9 + 5, "nv_large"),
        (160, 9 + 3, "nv_full"),
    ],
)
def test_entries_of_a_slice(channels: int, entries: int, name: str) -> None:
    loadable = committed("deconv", "nv_full.int8-pf")
    keep_only_first_operation(loadable)
    change_op(loadable, 0, OpType.CONV, entry_per_slice=entries)
    change_surface(loadable, 0, OpType.CONV, src__channel=channels, src__width=9)
    assert inferred(loadable)[0] == name


def keep_only_first_operation(loadable: Loadable) -> None:
    change_network(loadable, num_ops=1, **{f"op_head__{kind:d}": -1 for kind in OpType})
    nobody = {f"consumers__{kind:d}__index": -1 for kind in OpType}
    change_node(loadable, 0, **nobody)


def test_an_engine_that_is_not_there_does_not_outvote_the_buffer() -> None:
    """NVIDIA's compiler makes Rubik operations for nv_large, too, which has no such engine."""
    loadable = committed("deconv", "nv_full.int8-pf")
    assert inferred(loadable)[0] == "nv_full"
    change_op(loadable, 0, OpType.CONV, entry_per_slice=6)
    change_surface(loadable, 0, OpType.CONV, src__channel=64, src__width=6)
    assert inferred(loadable) == (
        "nv_large",
        "atoms of 32 bytes, and slices laid out for 64-byte buffer entries",
    )


def test_atom_of_16() -> None:
    loadable = committed("conv_4ch", "nv_large.int8-pf")
    output = loadable.tensors[1]
    output.strides = (1, output.w * 16, output.w * output.h * 16, 0, 0, 0, 0, 0)
    assert inferred(loadable)[0] == "nv_medium_512"


def test_older_files_call_every_atom_feature() -> None:
    loadable = committed("pool_ave_pad", "nv_small.int8-pk")
    for tensor in loadable.tensors:
        tensor.pixel_format = PixelFormat.FEATURE
    assert inferred(loadable)[0] == "nv_small"


def test_a_note_goes_before_everything() -> None:
    loadable = committed("conv_1ch", "nv_small.int8-pk")
    note = np.frombuffer(b'{"target": "nv_small_256"}', np.uint8)
    loadable.blobs.append(Blob(SOURCE_MAP, 0, 0, (0, 0, 0), note))
    assert inferred(loadable) == ("nv_small_256", "as its compiler noted")
