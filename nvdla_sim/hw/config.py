"""The seven hardware configurations as literal tables.

Source: the public specifications (nvdla/hw ``spec/defs``); nv_full is the older ``nvdlav1`` design, which
has other register addresses, three precisions and the engines that the later designs dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

from nvdla_sim.errors import one_of


@dataclass(frozen=True)
class Config:
    """One hardware configuration. Sizes are bytes unless the name says otherwise.

    As in the chip's model all of them have SDP's stage Y and the second memory port; the RTL of nv_small,
    nv_small_256 and nv_medium_512 has neither.
    """

    name: str
    atomic_c: int  # int8 input channels that one MAC step takes
    atomic_k: int  # int8 kernels of one group
    atom: int  # memory atom: bytes, and int8 channels, of one surface element
    cbuf_banks: int
    cbuf_entry: int  # bytes of one convolution buffer entry
    cbuf_entries: int  # entries of one bank
    rubik: bool = False
    bdma: bool = False
    winograd: bool = False
    compression: bool = False
    max_batch: int = 1
    register_family: str = "master"  # which register map: "master" or "v1"
    int16: bool = False
    fp16: bool = False

    @property
    def bank_bytes(self) -> int:
        return self.cbuf_entry * self.cbuf_entries

    @property
    def cbuf_bytes(self) -> int:
        return self.cbuf_banks * self.bank_bytes


CONFIGS: dict[str, Config] = {
    config.name: config
    for config in (
        Config("nv_small", 8, 8, 8, 32, 8, 512),
        Config("nv_small_256", 32, 8, 8, 32, 32, 128),
        Config("nv_small_256_full", 32, 8, 8, 32, 32, 128),
        Config("nv_medium_512", 32, 16, 16, 32, 32, 512),
        Config("nv_medium_1024_full", 32, 32, 32, 32, 32, 512),
        Config("nv_large", 64, 32, 32, 16, 64, 512),
        Config(
            "nv_full", 64, 32, 32, 16, 128, 256,
            rubik=True, bdma=True, winograd=True, compression=True, max_batch=32,
            register_family="v1", int16=True, fp16=True,
        ),
    )
}  # fmt: skip


def config_named(name: str) -> Config:
    """The configuration with this name; ``OptionError`` with the nearest name when there is none."""
    return CONFIGS[one_of("hardware configuration", name, CONFIGS)]
