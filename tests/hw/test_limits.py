from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from nvdla_sim.errors import ProgramError, UnsupportedError
from nvdla_sim.hw.chip import Chip
from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.hw.execute import reference_executor
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.limits import MAX_ELEMENTS, MAX_SECONDS, Allowance, check_elements, seconds
from nvdla_sim.hw.memory import Memory, Ports
from nvdla_sim.hw.rubik import RubikMode
from tests.shared import COMMITTED_GOLDENS
from tools.golden_programs import load

CONFIG = CONFIGS["nv_full"]


def launch_with(engine: str) -> Launch:
    """A golden launch in which the engine takes part."""
    launches: list[Launch] = []

    def note(launch: Launch) -> Mapping[str, int]:
        launches.append(launch)
        return {}

    for case in load(COMMITTED_GOLDENS / "random" / "nv_full.npz"):
        if not case.fp16:
            chip = Chip(CONFIG, Ports(Memory(), Memory()), note)
            for code, address, value in case.ops.tolist():
                if code == 0:
                    chip.csb_write(address, value)
    return next(launch for launch in launches if getattr(launch, engine) is not None)


def changed(launch: Launch, engine: str, **fields: Any) -> Launch:
    return replace(launch, **{engine: replace(getattr(launch, engine), **fields)})


LARGE = [
    ("conv", {"out_width": 8192, "out_height": 8192}),
    ("conv", {"kernels": 8192, "out_width": 8192, "out_height": 100}),
    ("sdp", {"width": 8192, "height": 8192}),
    ("pdp", {"out_width": 8192, "out_height": 8192}),
    ("pdp", {"width": 8192, "height": 8192}),
    ("cdp", {"width": 8192, "height": 8192}),
    ("rubik", {"width": 8192, "height": 8192}),
]


@pytest.mark.parametrize(("engine", "fields"), LARGE)
def test_a_large_cube_is_refused_before_it_is_held(engine: str, fields: dict[str, int]):
    launch = launch_with(engine)
    check_elements(CONFIG, launch)
    large = changed(launch, engine, **fields)
    with pytest.raises(UnsupportedError, match=f"{MAX_ELEMENTS} at most: split the layer"):
        reference_executor(CONFIG, Ports(Memory(), Memory()))(large)
    assert seconds(CONFIG, large) > 100 * seconds(CONFIG, launch)


@pytest.mark.parametrize("field", ["kernel_height", "kernel_width", "kernel_channels", "batches", "height"])
def test_a_convolution_takes_longer_with_more_of_anything(field: str):
    launch = launch_with("conv")
    assert seconds(CONFIG, changed(launch, "conv", **{field: 1000})) > 2 * seconds(CONFIG, launch)


def test_copies_take_time():
    launch = launch_with("bdma")
    assert launch.bdma is not None
    long = replace(launch.bdma.copies[0], lines=1 << 13, surfaces=1 << 13)
    assert seconds(CONFIG, changed(launch, "bdma", copies=(long,))) > 1000 * seconds(CONFIG, launch)
    phases = changed(
        launch_with("rubik"), "rubik", mode=RubikMode.CONTRACT, stride_x=32, stride_y=32, width=8192
    )
    assert seconds(CONFIG, phases) > 100 * seconds(CONFIG, launch_with("rubik"))


def test_the_allowance_is_for_the_whole_program():
    allowance = Allowance()
    for _ in range(3):
        allowance.take(MAX_SECONDS / 3)
    with pytest.raises(ProgramError, match=f"it takes about {MAX_SECONDS + 1:.0f} s of the references' time"):
        allowance.take(1)
