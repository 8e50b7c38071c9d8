"""SDP, the single data point processor: scale, add, activate and requantise, element by element."""

from __future__ import annotations

from nvdla_sim.hw.sdp_program import (
    AluOp,
    Converter,
    OperandMemory,
    SdpLayer,
    XStage,
    YStage,
    decode,
)

__all__ = ["AluOp", "Converter", "OperandMemory", "SdpLayer", "XStage", "YStage", "decode"]
