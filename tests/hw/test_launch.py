from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw.chip import Chip
from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.hw.launch import Launch, check_streams
from nvdla_sim.hw.memory import Memory, Ports
from tests.shared import COMMITTED_GOLDENS
from tools.golden_programs import load

CONFIG = CONFIGS["nv_full"]


def chain() -> Launch:
    """A golden convolution -> SDP -> PDP."""
    launches: list[Launch] = []

    def note(launch: Launch) -> Mapping[str, int]:
        launches.append(launch)
        return {}

    for case in load(COMMITTED_GOLDENS / "random" / "nv_full.npz"):
        if case.engine in ("fly", "chain"):
            chip = Chip(CONFIG, Ports(Memory(), Memory()), note)
            for code, address, value in case.ops.tolist():
                if code == 0:
                    chip.csb_write(address, value)
    return next(launch for launch in launches if launch.conv and launch.pdp)


def test_a_golden_chain_goes_together():
    check_streams(CONFIG, chain())


@pytest.mark.parametrize(
    ("field", "change", "what"),
    [
        ("out_width", 1, "width"),
        ("out_height", 1, "height"),
        ("kernels", 64, "surfaces"),
        ("batches", 1, "batches"),
        ("itemsize", 1, "bytes of an element"),
        ("winograd", True, "Winograd order"),
    ],
)
def test_sdp_takes_what_the_convolution_gives(field: str, change: int, what: str):
    launch = chain()
    conv = replace(launch.conv, **{field: getattr(launch.conv, field) + change})
    with pytest.raises(ProgramError, match=f"{what}: the convolution gives"):
        check_streams(CONFIG, replace(launch, conv=conv))


@pytest.mark.parametrize(
    ("field", "change", "what"),
    [
        ("width", 1, "width"),
        ("height", 1, "height"),
        ("channels", 64, "surfaces"),
        ("itemsize", 1, "bytes of an element"),
    ],
)
def test_pdp_takes_what_sdp_gives(field: str, change: int, what: str):
    launch = chain()
    pdp = replace(launch.pdp, **{field: getattr(launch.pdp, field) + change})
    with pytest.raises(ProgramError, match=f"{what}: SDP gives"):
        check_streams(CONFIG, replace(launch, pdp=pdp))


def test_a_few_channels_more_are_the_same_surface():
    launch = chain()
    lanes = -launch.conv.kernels % CONFIG.atom
    conv = replace(launch.conv, kernels=launch.conv.kernels + lanes)
    check_streams(CONFIG, replace(launch, conv=conv))
