"""One unit's registers as the CSB sees them: two groups that software and chip use in turn.

Registers S_* and CFG_* exist once. Registers D_* exist twice: the CSB reaches the group that S_POINTER's
PRODUCER selects, the unit runs the group that CONSUMER selects and toggles CONSUMER when it is done.

Source: hardware-facts section 6.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw.lut import LE_ENTRIES, LO_ENTRIES, LutTables
from nvdla_sim.hw.registers import Register

IDLE, RUNNING, PENDING = 0, 1, 2  # S_STATUS of a group


class Unit:
    """The registers of one unit, after reset."""

    def __init__(self, name: str, registers: Mapping[str, Register]) -> None:
        self.name = name
        self.producer = 0
        self.consumer = 0
        self._registers = registers
        self._single = {n: r.reset for n, r in registers.items() if not n.startswith("D_")}
        twice = {n: r.reset for n, r in registers.items() if n.startswith("D_")}
        self._groups = (twice, dict(twice))

    @property
    def running(self) -> bool:
        """Whether the group that is next to run is enabled."""
        return self.enabled(self.consumer)

    def enabled(self, group: int) -> bool:
        return self._groups[group].get("D_OP_ENABLE") == 1

    def fields(self) -> dict[str, int]:
        """``"REGISTER.FIELD"`` -> raw value, of the group that is next to run."""
        group = self._groups[self.consumer]
        return {k: v for name, value in group.items() for k, v in self._registers[name].decode(value).items()}

    def single_fields(self) -> dict[str, int]:
        """``"REGISTER.FIELD"`` -> raw value, of the registers that exist once."""
        return {
            k: v
            for name, value in self._single.items()
            for k, v in self._registers[name].decode(value).items()
        }

    def complete(self, results: Mapping[str, int]) -> None:
        """The layer of the running group is done: ``results`` are registers that software reads back."""
        group = self._groups[self.consumer]
        group.update(results)
        group["D_OP_ENABLE"] = 0
        self.consumer ^= 1

    def write(self, register: Register, value: int) -> None:
        """A CSB write; bits that are read-only keep their value.

        ``ProgramError`` for a D_* register of a group that is enabled: the chip may be reading it.
        """
        name = register.name
        if name == "S_POINTER":
            self.producer = value & 1
        elif name.startswith("D_"):
            if self.enabled(self.producer):
                raise ProgramError(
                    f"{self.name}.{name} is written while group {self.producer} is enabled: "
                    "write to the other group, or wait until this one is done"
                )
            self._store(self._groups[self.producer], register, value)
        else:
            self._store(self._single, register, value)

    def read(self, register: Register) -> int:
        """A CSB read."""
        name = register.name
        if name == "S_POINTER":
            return self.producer | self.consumer << 16
        if name == "S_STATUS":
            return self._status(0) | self._status(1) << 16
        values = self._groups[self.producer] if name.startswith("D_") else self._single
        return values[name] & register.read_mask

    def _status(self, group: int) -> int:
        if not self.enabled(group):
            return IDLE
        return RUNNING if group == self.consumer else PENDING

    @staticmethod
    def _store(values: dict[str, int], register: Register, value: int) -> None:
        values[register.name] = values[register.name] & ~register.write_mask | value & register.write_mask


class LutUnit(Unit):
    """A unit with the tables LE and LO, which one address and one data register reach."""

    def __init__(self, name: str, registers: Mapping[str, Register]) -> None:
        super().__init__(name, registers)
        self._tables = (np.zeros(LE_ENTRIES, np.int16), np.zeros(LO_ENTRIES, np.int16))
        self._snapshot: LutTables | None = None

    def tables(self) -> LutTables:
        """The tables and the S_LUT_* registers as they are now; the same object until something changes."""
        if self._snapshot is None:
            le, lo = self._tables
            self._snapshot = LutTables(le.copy(), lo.copy(), self.single_fields())
        return self._snapshot

    def write(self, register: Register, value: int) -> None:
        super().write(register, value)
        if register.name.startswith("S_LUT"):
            self._snapshot = None
        if register.name == "S_LUT_ACCESS_DATA" and self._single["S_LUT_ACCESS_CFG"] >> 17 & 1:
            table, address = self._next_entry()
            table[address] = np.uint16(value & 0xFFFF).astype(np.int16)

    def read(self, register: Register) -> int:
        if register.name == "S_LUT_ACCESS_DATA" and not self._single["S_LUT_ACCESS_CFG"] >> 17 & 1:
            table, address = self._next_entry()
            return int(table[address]) & 0xFFFF
        return super().read(register)

    def _next_entry(self) -> tuple[np.ndarray, int]:
        """The table and the address of this access; the address moves on and stays at the last entry."""
        access = self._single["S_LUT_ACCESS_CFG"]
        address, table_id = access & 0x3FF, access >> 16 & 1
        table = self._tables[table_id]
        if address >= table.size:
            raise ProgramError(
                f"{self.name}.S_LUT_ACCESS_DATA: address {address} is outside table "
                f"{('LE', 'LO')[table_id]}, 0 .. {table.size - 1} is allowed"
            )
        self._single["S_LUT_ACCESS_CFG"] = access & ~0x3FF | min(address + 1, table.size - 1)
        return table, address
