"""The firmware: runs an accelerator task's operations on the chip in the order their dependencies allow.

Six processors, one for each kind of operation, have two register groups each. An operation is taken into a
free group, programmed (its registers are written) and, once nothing it depends on is open, enabled. The
next operation of a kind is known only from its predecessor's edge to it.

Source: compiler-facts 4.1 to 4.4; the register writes equal those recorded on the real stack.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Protocol

from nvdla_sim.errors import LoadableError, NvdlaError, UnsupportedError, listed
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.registers import register_map
from nvdla_sim.loadable.enums import OpEvent, OpType
from nvdla_sim.loadable.lists import DlaTask
from nvdla_sim.runtime import program
from nvdla_sim.runtime.deadlock import explain
from nvdla_sim.runtime.operation import NOBODY, Operation, read_operation
from nvdla_sim.runtime.program.bdma import is_empty
from nvdla_sim.runtime.program.writes import Writes

# GLB.S_INTR_STATUS: the bit of group 0 of each interrupt (group 1 is the next) -> what has happened to whose
# operation; in the order in which the firmware handles what happened at the same time
INTERRUPTS: dict[int, tuple[OpType, OpEvent]] = {
    6: (OpType.BDMA, OpEvent.OP_COMPLETED),
    18: (OpType.CONV, OpEvent.CDMA_WEIGHT_DONE),
    16: (OpType.CONV, OpEvent.CDMA_DATA_DONE),
    20: (OpType.CONV, OpEvent.OP_COMPLETED),
    0: (OpType.SDP, OpEvent.OP_COMPLETED),
    4: (OpType.PDP, OpEvent.OP_COMPLETED),
    2: (OpType.CDP, OpEvent.OP_COMPLETED),
    8: (OpType.RUBIK, OpEvent.OP_COMPLETED),
}


class Csb(Protocol):
    """The chip's register bus, byte addresses."""

    def csb_write(self, address: int, value: int) -> None: ...

    def csb_read(self, address: int) -> int: ...

    def pending(self) -> list[str]: ...


class State(Enum):
    """Of a register group."""

    FREE = auto()
    PENDING = auto()  # holds an operation that may not be programmed yet
    PROGRAMMING = auto()
    PROGRAMMED = auto()
    ACTIVE = auto()


@dataclass
class Group:
    """One of a processor's two register groups."""

    number: int
    state: State = State.FREE
    operation: Operation | None = None
    rdma_group: int = 0  # the read DMA's register group, which is written also where nothing is read
    reads: bool = False  # whether the operation needs the read DMA


@dataclass
class Processor:
    """What runs one kind of operation."""

    type: OpType
    groups: tuple[Group, Group] = field(default_factory=lambda: (Group(0), Group(1)))
    last: Operation | None = None  # taken last: its edge tells the next one
    last_group: int = 1  # programmed last

    def other(self, group: Group) -> Group:
        return self.groups[1 - group.number]


class Firmware:
    """Runs one task: ``Firmware(...).run()``.

    ``locate(address list index, offset)`` gives a bus address. ``name`` is for messages: loadable and task.
    """

    def __init__(
        self, config: Config, csb: Csb, task: DlaTask, locate: Callable[[int, int], int], name: str
    ) -> None:
        self._config = config
        self._csb = csb
        self._task = task
        self._locate = locate
        self._name = name
        self._map = register_map(config)
        self._processors = {kind: Processor(kind) for kind in OpType}
        self._operations: dict[int, Operation] = {}
        self._completed = 0
        self._done_at_once: list[Group] = []  # copies of nothing: no interrupt tells that they are done
        self._happened: set[tuple[int, OpEvent]] = set()

    def run(self) -> None:
        """Run all operations; ``NvdlaError`` naming the operation that the firmware or the chip refuses.

        A task that would never end raises ``LoadableError`` telling which operation waits for which.
        """
        self._check_network()
        for processor in self._processors.values():
            head = int(self._task.network["op_head"][processor.type])
            if head != NOBODY:
                self._take(processor, head)
                self._take_next(processor)
        while self._completed < self._task.dep_graph.size:
            if not self._handle_interrupts():
                why = explain(self._task, self._operations, self._happened, self._csb.pending())
                raise LoadableError(f"{self._name}: {why}")

    def _check_network(self) -> None:
        network = self._task.network
        unused = {"num_rois": 1, "dynamic_roi": 0, "roi_array": NOBODY, "stat_list": NOBODY}
        problems = [
            f"{name} = {network[name]}: only {value} is supported"
            for name, value in unused.items()
            if network[name] != value
        ]
        if problems:
            headline = (
                f"{self._name}: regions of interest and statistics are not supported (compile without them, "
                "a loadable for each region; NVIDIA's compiler never asks for them):"
            )
            raise UnsupportedError(listed(headline, problems))

    # --- taking, programming, enabling ---

    def _take(self, processor: Processor, index: int) -> None:
        """Give operation ``index`` a register group, if one is free, and program it, if that is possible."""
        operation = self._operation(index)
        if operation.type != processor.type:
            raise LoadableError(
                f"{self._name}: {operation} is named as an operation of type {processor.type.name}"
            )
        group = self._free_group(processor)
        if group is None:
            return
        group.operation, group.state = operation, State.PENDING
        processor.last = operation
        self._program_if_ready(processor, group)

    def _take_next(self, processor: Processor) -> None:
        if processor.last is not None:
            index = processor.last.consumers[processor.type].target
            if index != NOBODY:
                self._take(processor, index)

    def _free_group(self, processor: Processor) -> Group | None:
        free = [group for group in processor.groups if group.state is State.FREE]
        if len(free) == 2:
            return free[self._next_group(program.UNITS[processor.type][:1], 1 - processor.last_group)]
        return free[0] if free else None

    def _next_group(self, units: tuple[str, ...], otherwise: int) -> int:
        """The register group that an idle unit runs next; ``otherwise`` for a unit without groups."""
        if not units:
            return otherwise
        pointer = self._csb.csb_read(self._map.address(units[0], "S_POINTER"))
        return self._map.fields(units[0], "S_POINTER", pointer)["S_POINTER.CONSUMER"]

    def _program_if_ready(self, processor: Processor, group: Group) -> None:
        if self._ready(processor, group):
            operation = self._program(processor, group)
            if operation.dependencies == 0:
                self._enable(operation)

    def _ready(self, processor: Processor, group: Group) -> bool:
        """Whether the group may be programmed while the other one is as it is."""
        other = processor.other(group)
        assert group.operation is not None
        if processor.type is OpType.BDMA:
            # both groups' transfers go into one queue
            return other.state is not State.PROGRAMMED
        if group.operation.table_index == NOBODY or other.operation is None:
            return True
        # both groups use the one table that there is
        return other.operation.table_index == group.operation.table_index

    def _program(self, processor: Processor, group: Group) -> Operation:
        operation = group.operation
        assert operation is not None
        group.state = State.PROGRAMMING
        self._choose_rdma_group(processor, group, operation)
        self._select_group(processor, group)
        self._write(operation, program.PROGRAM[operation.type])
        processor.last_group = group.number
        self._happen(operation, OpEvent.OP_PROGRAMMED)
        group.state = State.PROGRAMMED
        return operation

    def _enable(self, operation: Operation) -> None:
        """Start the operation, if it is in a group that is programmed and not started yet."""
        processor = self._processors[operation.type]
        for group in processor.groups:
            if group.operation is operation and group.state is State.PROGRAMMED:
                self._select_group(processor, group)
                group.state = State.ACTIVE
                self._write(operation, partial(program.enable, group=group.number))
                if is_empty(operation):
                    self._done_at_once.append(group)
                self._happen(operation, OpEvent.OP_ENABLED)
                return

    # --- register groups ---

    def _choose_rdma_group(self, processor: Processor, group: Group, operation: Operation) -> None:
        other, units = processor.other(group), program.UNITS[processor.type][1:]
        group.reads = program.needs_rdma(operation)
        group.rdma_group = 1 - other.rdma_group if other.reads else self._next_group(units, 0)

    def _select_group(self, processor: Processor, group: Group) -> None:
        for unit in program.UNITS[processor.type]:
            number = group.rdma_group if unit.endswith("_RDMA") else group.number
            self._csb.csb_write(self._map.address(unit, "S_POINTER"), number)

    def _write(self, operation: Operation, gather: Callable[[Operation, Writes], None]) -> None:
        """Do the register writes that ``gather`` asks for, as far as nothing is wrong with them."""
        writes = Writes(self._config, self._locate)
        gather(operation, writes)
        try:
            for address, value in writes.writes:
                self._csb.csb_write(address, value)
        except NvdlaError as problem:
            raise type(problem)(f"{self._name}: {operation}: {problem}") from None
        if writes.problems:
            raise LoadableError(listed(f"{self._name}: {operation} is refused:", writes.problems))

    # --- events ---

    def _handle_interrupts(self) -> bool:
        """Take what is done from the chip and go on from there; False when nothing is done."""
        address = self._map.address("GLB", "S_INTR_STATUS")
        status = self._csb.csb_read(address)
        at_once, self._done_at_once = self._done_at_once, []
        if not status and not at_once:
            return False
        if status:
            self._csb.csb_write(address, status)
        for processor in self._processors.values():
            first = 1 - processor.last_group
            for number in (first, 1 - first):
                group = processor.groups[number]
                done = group in at_once
                for bit, (kind, event) in INTERRUPTS.items():
                    if kind is processor.type and (status >> bit + number & 1 or done):
                        self._handle(processor, group, event)
        return True

    def _handle(self, processor: Processor, group: Group, event: OpEvent) -> None:
        operation = group.operation
        if operation is None or group.state is not State.ACTIVE or self._finished:
            return
        if event is not OpEvent.OP_COMPLETED:
            self._happen(operation, event)
            return
        group.operation, group.state, group.reads = None, State.FREE, False
        self._completed += 1
        self._happen(operation, event)
        if self._finished:
            return
        other = processor.other(group)
        if other.state is State.PENDING:
            self._program_if_ready(processor, other)
        self._take_next(processor)

    @property
    def _finished(self) -> bool:
        return self._completed >= self._task.dep_graph.size

    def _happen(self, operation: Operation, event: OpEvent) -> None:
        """Resolve the dependencies that others have on this event of ``operation``."""
        self._happened.add((operation.index, event))
        for edge in operation.edges:
            if edge.target == NOBODY or edge.event is not event:
                continue
            target = self._operation(edge.target)
            # a byte: where the graph counts too few edges, the count wraps and the target never runs again
            target.dependencies = target.dependencies - 1 & 0xFF
            if target.dependencies == 0:
                self._enable(target)

    def _operation(self, index: int) -> Operation:
        if index not in self._operations:
            self._operations[index] = read_operation(self._task, index)
        return self._operations[index]
