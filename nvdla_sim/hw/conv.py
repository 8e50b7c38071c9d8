"""The convolution pipeline: CDMA, convolution buffer, CSC, CMAC and CACC.

Source: hardware-facts section 3.
"""

from __future__ import annotations

from nvdla_sim.hw.conv_layer import ConvLayer
from nvdla_sim.hw.conv_program import decode

__all__ = ["ConvLayer", "decode"]
