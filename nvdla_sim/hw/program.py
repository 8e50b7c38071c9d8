"""Reading one unit's register group by name, and gathering all that is wrong with a register program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nvdla_sim.errors import ProgramError, UnsupportedError, listed
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.fixed_point import sign_extend
from nvdla_sim.hw.surface import Surface

Registers = Mapping[str, int]  # "REGISTER.FIELD" -> raw unsigned value of the field


class Problems:
    """What a program asks for that the chip refuses, hangs on, or computes nonsense with."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._found: list[str] = []

    def require(self, condition: bool, problem: str) -> None:
        """Note ``problem`` unless ``condition`` holds."""
        if not condition:
            self._found.append(problem)

    def stop(self) -> None:
        """Raise one ``ProgramError`` with everything noted so far, if there is anything."""
        if self._found:
            raise ProgramError(listed(f"{self._engine} cannot run this program:", self._found))


class Group:
    """One unit's registers, read by name.

    ``reserved_bits``: low bits that the fields of addresses and strides leave out (always 0 in the value).
    """

    def __init__(self, unit: str, registers: Registers, reserved_bits: int) -> None:
        self.unit = unit
        self._registers = registers
        self._reserved_bits = reserved_bits

    def __getitem__(self, field: str) -> int:
        """The raw value of ``REGISTER.FIELD``."""
        try:
            return self._registers[field]
        except KeyError:
            raise ProgramError(f"{self.unit} has no register field {field} here") from None

    def signed(self, field: str, bits: int) -> int:
        return int(sign_extend(self[field], bits))

    def size(self, field: str) -> int:
        """A size, which the register holds minus one."""
        return self[field] + 1

    def stride(self, register: str, field: str) -> int:
        """Bytes from a stride register."""
        return self[f"{register}.{field}"] << self._reserved_bits

    def address(self, name: str) -> int:
        """The 64-bit address in the register pair ``D_<name>_LOW`` and ``D_<name>_HIGH``."""
        low = self[f"D_{name}_LOW.{name}_LOW"] << self._reserved_bits
        return self[f"D_{name}_HIGH.{name}_HIGH"] << 32 | low

    def surface(self, name: str, ram_type: str) -> Surface:
        """The cube that the registers ``D_<name>_BASE_ADDR``, ``_LINE_STRIDE``, ``_SURFACE_STRIDE`` place."""
        return Surface(
            self.address(f"{name}_BASE_ADDR"),
            self.stride(f"D_{name}_LINE_STRIDE", f"{name}_LINE_STRIDE"),
            self.stride(f"D_{name}_SURFACE_STRIDE", f"{name}_SURFACE_STRIDE"),
            self[ram_type],
        )


def require_same(read: Group, core: Group, fields: Iterable[str], problems: Problems) -> None:
    """A read DMA and its engine must be programmed alike."""
    for field in fields:
        problems.require(
            read[field] == core[field],
            f"{field}: {read.unit} has {read[field]}, {core.unit} {core[field]}",
        )


def group(config: Config, unit: str, registers: Registers) -> Group:
    """The register group of a unit whose addresses and strides are whole bytes, or 32 bytes in nv_full."""
    return Group(unit, registers, 5 if config.register_family == "v1" else 0)


def itemsize(config: Config, code: int, field: str, problems: Problems) -> int:
    """Bytes of an element for a precision code: INT8 0, INT16 1, FP16 2.

    ``UnsupportedError`` for fp16 where the chip has it; codes it has not are noted in ``problems``.
    """
    if code == 2 and config.fp16:
        raise UnsupportedError(f"{field} = FP16: this simulator does not run fp16 yet, only int8 and int16")
    names = ("INT8", "INT16", "FP16", "reserved")
    allowed = 2 if config.int16 else 1
    problems.require(
        code < allowed, f"{field} = {names[code & 3]}: {config.name} has only {', '.join(names[:allowed])}"
    )
    return 2 if code == 1 else 1
