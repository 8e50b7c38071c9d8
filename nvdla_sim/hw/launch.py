"""What runs together: the layers of the engines that one after the other pass their data on the fly."""

from __future__ import annotations

from dataclasses import dataclass

from nvdla_sim.hw.bdma import BdmaLayer
from nvdla_sim.hw.cdp import CdpLayer
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.conv import ConvLayer
from nvdla_sim.hw.pdp import PdpLayer
from nvdla_sim.hw.program import Problems
from nvdla_sim.hw.rubik import RubikLayer
from nvdla_sim.hw.sdp import SdpLayer


@dataclass(frozen=True)
class Launch:
    """The layers of one start: convolution -> SDP -> PDP or a part of that chain, or one of the rest."""

    conv: ConvLayer | None = None
    sdp: SdpLayer | None = None
    pdp: PdpLayer | None = None
    cdp: CdpLayer | None = None
    rubik: RubikLayer | None = None
    bdma: BdmaLayer | None = None


def check_streams(config: Config, launch: Launch) -> None:
    """``ProgramError`` unless each engine takes exactly the cube that the one before it gives.

    Otherwise one of them would wait for data that never comes, or keep data that nobody takes.
    """
    problems = Problems("This chain of engines")
    conv, sdp, pdp = launch.conv, launch.sdp, launch.pdp
    if conv is not None and sdp is not None:
        channels = (conv.kernels, sdp.channels)
        agree = {
            "width": (conv.out_width, sdp.width),
            "height": (conv.out_height, sdp.height),
            "surfaces": tuple(-(-c * conv.itemsize // config.atom) for c in channels),
            "batches": (conv.batches, sdp.batches),
            "bytes of an element": (conv.itemsize, sdp.itemsize),
            "Winograd order": (conv.winograd, sdp.winograd),
        }
        _compare(problems, "the convolution gives", "SDP takes", agree)
    if sdp is not None and pdp is not None:
        channels = (sdp.channels, pdp.channels)
        agree = {
            "width": (sdp.width, pdp.width),
            "height": (sdp.height, pdp.height),
            "surfaces": tuple(-(-c * sdp.out_itemsize // config.atom) for c in channels),
            "bytes of an element": (sdp.out_itemsize, pdp.itemsize),
        }
        _compare(problems, "SDP gives", "PDP takes", agree)
    problems.stop()


def _compare(problems: Problems, giver: str, taker: str, agree: dict[str, tuple[int, ...]]) -> None:
    for what, (given, taken) in agree.items():
        problems.require(given == taken, f"{what}: {giver} {given}, {taker} {taken}")
