"""The chip at register level: CSB accesses in, launches of engines out, done bits back.

A layer runs inside the CSB write that completes it, so between two accesses the chip is always at rest: what
has not run by then waits for another write, and ``pending`` tells for which.

Source: hardware-facts sections 5.4, 6 and 10, checked against the chip's model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nvdla_sim.errors import ProgramError, listed
from nvdla_sim.hw import bdma, cdp, conv, pdp, rubik, sdp
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.launch import Launch, check_streams
from nvdla_sim.hw.memory import Ports
from nvdla_sim.hw.registers import register_map
from nvdla_sim.hw.unit import LutUnit, Unit

__all__ = ["Chip", "Launch"]

CONV_UNITS = ("CDMA", "CSC", "CMAC_A", "CMAC_B", "CACC")

# Done bit of group 0 in GLB.S_INTR_STATUS -> unit; the next bit is that of group 1.
DONE_BITS = {
    "SDP_DONE": (0, "SDP"),
    "CDP_DONE": (2, "CDP"),
    "PDP_DONE": (4, "PDP"),
    "BDMA_DONE": (6, "BDMA"),
    "RUBIK_DONE": (8, "RBK"),
    "CDMA_DAT_DONE": (16, "CDMA"),
    "CDMA_WT_DONE": (18, "CDMA"),
    "CACC_DONE": (20, "CACC"),
}


class Chip:
    """One chip after reset.

    ``execute`` runs a launch (or notes it for later) and gives what counters and status registers show
    afterwards: ``"UNIT.REGISTER"`` -> value. ``ports`` is the memory that the launches work on,
    ``registers`` the map of what the CSB reaches.
    """

    def __init__(self, config: Config, ports: Ports, execute: Callable[[Launch], Mapping[str, int]]) -> None:
        self.config = config
        self.ports = ports
        self._execute = execute
        self.registers = register_map(config)
        self._luts = {name: LutUnit(name, self.registers.unit(name)) for name in ("SDP", "CDP")}
        self._units: dict[str, Unit] = {
            name: self._luts.get(name) or Unit(name, self.registers.unit(name))
            for name in self.registers.bases
        }
        self._done = 0  # GLB.S_INTR_STATUS
        self._copies: list[dict[str, int]] = []  # BDMA's queue

    def csb_write(self, address: int, value: int) -> None:
        """Write a 32-bit register at a byte address, and run everything that can run now.

        ``ProgramError`` for what the chip refuses or cannot run, ``UnsupportedError`` for fp16.
        """
        register = self.registers.at(address)
        if not 0 <= value < 1 << 32:
            raise ProgramError(f"{register.unit}.{register.name} = {value} does not fit 32 bits")
        self._units[register.unit].write(register, value)
        match register.unit, register.name:
            case _, "D_OP_ENABLE":
                self._run_all()
            case "GLB", "S_INTR_SET":
                self._done |= value & register.write_mask
            case "GLB", "S_INTR_STATUS":
                self._done &= ~value
            case "BDMA", "CFG_OP" if value & 1:
                self._queue_copy()
            case "BDMA", "CFG_LAUNCH0" | "CFG_LAUNCH1" if value & 1:
                self._run_copies(group=int(register.name[-1]))

    def csb_read(self, address: int) -> int:
        """Read a 32-bit register at a byte address."""
        register = self.registers.at(address)
        match register.unit, register.name:
            case "GLB", "S_INTR_STATUS":
                return self._done
            case "CDMA", "S_CBUF_FLUSH_STATUS":
                return 1  # reset clears the convolution buffer at once
            case "BDMA", "STATUS":
                free = bdma.SLOTS - len(self._copies)
                return self.registers.encode(
                    "BDMA", "STATUS", {"FREE_SLOT": free, "IDLE": int(not self._copies)}
                )
        return self._units[register.unit].read(register)

    def wait(self, done: int) -> None:
        """Return if all bits ``done`` of GLB.S_INTR_STATUS are set; without another write none comes later.

        ``ProgramError`` telling who waits for whom otherwise.
        """
        missing = done & ~self._done
        if missing:
            names = [
                f"{name}{group}"
                for name, (bit, _) in DONE_BITS.items()
                for group in (0, 1)
                if missing >> bit + group & 1
            ]
            what = ", ".join(names) or "no engine has these bits"
            raise ProgramError(
                listed(
                    f"the wait for GLB.S_INTR_STATUS 0x{missing:x} ({what}) would never end:",
                    self.pending() or ["no register group is enabled"],
                )
            )

    def pending(self) -> list[str]:
        """What enabled register groups that have not run wait for; one line for those with the same wait."""
        waiting: dict[tuple[int, str], list[str]] = {}
        for name, unit in self._units.items():
            for group in (0, 1):
                if unit.enabled(group):
                    turn = f"group {unit.consumer} to run first (S_POINTER.CONSUMER)"
                    waits_for = self._waits_for(name) if group == unit.consumer else [turn]
                    waiting.setdefault((group, ", ".join(waits_for)), []).append(name)
        lines = [
            f"{', '.join(names)} group {group} {'is' if len(names) == 1 else 'are'} enabled and "
            f"{'waits' if len(names) == 1 else 'wait'} for {what}"
            for (group, what), names in waiting.items()
        ]
        if self._copies:
            lines.append(
                f"BDMA holds {len(self._copies)} descriptors and waits for CFG_LAUNCH0 or CFG_LAUNCH1"
            )
        return lines

    # --- which units run together: SDP leads what flies, PDP, CDP and RBK lead what comes from memory ---

    def _run_all(self) -> None:
        """Run what is complete; a layer that ends may let the other group of its units start."""
        leaders = {"SDP": self._run_sdp, "PDP": self._run_pdp, "CDP": self._run_cdp, "RBK": self._run_rubik}
        ready = True
        while ready:
            ready = False
            for name, run in leaders.items():
                if self._running(name) and not self._waits_for(name):
                    run()
                    ready = True

    def _waits_for(self, name: str) -> list[str]:
        """What a running unit waits for; empty for a leader that can run."""
        match name:
            case "SDP":
                core = self._units["SDP"].fields()
                needed = [*CONV_UNITS] if _sdp_on_the_fly(core) else []
                needed += ["SDP_RDMA"] if _sdp_reads_memory(core) else []
                missing = [unit for unit in needed if not self._running(unit)]
                if _sdp_gives_to_pdp(core) and not self._pdp_takes_stream():
                    missing.append("PDP with FLYING_MODE = ON")
                return missing
            case "PDP":
                if self._pdp_takes_stream():
                    return ["SDP with OUTPUT_DST = PDP"]
                return [] if self._running("PDP_RDMA") else ["PDP_RDMA"]
            case "CDP":
                return [] if self._running("CDP_RDMA") else ["CDP_RDMA"]
            case "RBK":
                return []
            case "SDP_RDMA" | "PDP_RDMA" | "CDP_RDMA":
                return [f"{name.removesuffix('_RDMA')} with a layer that reads memory"]
        return ["SDP with FLYING_MODE = ON"]  # the convolution's units

    def _running(self, name: str) -> bool:
        return self._units[name].running

    def _pdp_takes_stream(self) -> bool:
        return self._running("PDP") and _pdp_on_the_fly(self._units["PDP"].fields())

    def _run_sdp(self) -> None:
        core = self._units["SDP"].fields()
        units = ["SDP"]
        conv_layer = pdp_layer = rdma = None
        if _sdp_on_the_fly(core):
            units += CONV_UNITS
            conv_layer = self._decode_conv()
        if _sdp_reads_memory(core):
            units.append("SDP_RDMA")
            rdma = self._units["SDP_RDMA"].fields()
        if _sdp_gives_to_pdp(core):
            units.append("PDP")
            pdp_layer = pdp.decode(self.config, self._units["PDP"].fields(), None)
        sdp_layer = sdp.decode(self.config, core, rdma, self._luts["SDP"].tables())
        self._finish(Launch(conv=conv_layer, sdp=sdp_layer, pdp=pdp_layer), units)

    def _decode_conv(self) -> conv.ConvLayer:
        cdma, csc, cmac, cmac_b, cacc = (self._units[name].fields() for name in CONV_UNITS)
        if cmac != cmac_b:
            raise ProgramError("CMAC_A and CMAC_B are programmed differently: both compute the same layer")
        return conv.decode(self.config, cdma, csc, cmac, cacc)

    def _run_pdp(self) -> None:
        core, rdma = self._units["PDP"].fields(), self._units["PDP_RDMA"].fields()
        self._finish(Launch(pdp=pdp.decode(self.config, core, rdma)), ["PDP", "PDP_RDMA"])

    def _run_cdp(self) -> None:
        core, rdma = self._units["CDP"].fields(), self._units["CDP_RDMA"].fields()
        layer = cdp.decode(self.config, core, rdma, self._luts["CDP"].tables())
        self._finish(Launch(cdp=layer), ["CDP", "CDP_RDMA"])

    def _run_rubik(self) -> None:
        self._finish(Launch(rubik=rubik.decode(self.config, self._units["RBK"].fields())), ["RBK"])

    def _finish(self, launch: Launch, names: list[str]) -> None:
        """Execute, store what software reads back, turn to the other groups, raise the done bits."""
        check_streams(self.config, launch)
        results = self._execute(launch)
        for bit, name in DONE_BITS.values():
            if name in names:
                self._done |= 1 << bit + self._units[name].consumer
        for name in names:
            prefix = f"{name}."
            own = {key.removeprefix(prefix): v for key, v in results.items() if key.startswith(prefix)}
            self._units[name].complete(own)

    # --- BDMA: a queue instead of two register groups ---

    def _queue_copy(self) -> None:
        if len(self._copies) >= bdma.SLOTS:
            raise ProgramError(
                f"BDMA.CFG_OP: the queue holds {bdma.SLOTS} descriptors, all are taken; launch a group first"
            )
        self._copies.append(self._units["BDMA"].single_fields())

    def _run_copies(self, group: int) -> None:
        layer = bdma.decode(self.config, self._copies)
        self._execute(Launch(bdma=layer))
        self._copies = []
        self._done |= 1 << DONE_BITS["BDMA_DONE"][0] + group


def _sdp_on_the_fly(core: Mapping[str, int]) -> bool:
    return core["D_FEATURE_MODE_CFG.FLYING_MODE"] == 1


def _sdp_gives_to_pdp(core: Mapping[str, int]) -> bool:
    return core["D_FEATURE_MODE_CFG.OUTPUT_DST"] == 1


def _pdp_on_the_fly(core: Mapping[str, int]) -> bool:
    return core["D_OPERATION_MODE_CFG.FLYING_MODE"] == 0


def _sdp_reads_memory(core: Mapping[str, int]) -> bool:
    """Whether SDP takes anything, its input or an operand, from SDP_RDMA."""
    operands = (
        core[f"D_DP_{stage}_CFG.{stage}_BYPASS"] == 0
        and core[f"D_DP_{stage}_CFG.{stage}_{part}_BYPASS"] == 0
        and core[f"D_DP_{stage}_{part}_CFG.{stage}_{part}_SRC"] == 1
        for stage in ("BS", "BN", "EW")
        for part in ("ALU", "MUL")
    )
    return not _sdp_on_the_fly(core) or any(operands)
