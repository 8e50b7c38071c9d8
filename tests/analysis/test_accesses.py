"""What an operation is said to read and write is what the engines' references touch."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from nvdla_sim.analysis.accesses import accesses
from nvdla_sim.analysis.units import read_units
from nvdla_sim.hw.config import config_named
from nvdla_sim.hw.execute import reference_executor
from nvdla_sim.hw.memory import Bytes, Memory, Ports
from nvdla_sim.loadable.lists import DlaTask, read_task
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.buffers import Buffers
from tests.shared import COMMITTED_GOLDENS, golden_paths

COMMITTED = [
    ("nv_full", "loadables/deconv/nv_full.int8-pf.nvdla"),
    ("nv_small", "loadables/conv_feat/nv_small.int8-pk.b2.nvdla"),
    ("nv_small", "loadables/mini_mobilenet/nv_small.int8-pf.nvdla"),
    ("nv_large", "recipes/08-pooling/fly_fly_elt.nv_large.nvdla"),
    ("nv_large", "recipes/14-misc/partial_h_3chunks_weight_reuse.nv_large.nvdla"),
    ("nv_large", "recipes/14-misc/paste.nv_large.nvdla"),
    ("nv_large", "recipes/15-image/img_k11_s4_e1.nv_large.nvdla"),
    ("nv_small", "recipes/13-chain/serial.nv_small.nvdla"),
]
CASES = [(config, COMMITTED_GOLDENS / path) for config, path in COMMITTED] + [
    ("nv_full", path)
    for name in ("kmd/BDMA_L0_0", "kmd/RBK_L0_0")
    for path in golden_paths(f"{name}.nvdla")
]  # fmt: skip


class Spy(Memory):
    """A memory that notes which bytes are asked for."""

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self.memory = memory
        self.seen: set[range] = set()

    def view(self, address: int, size: int) -> Bytes:
        self.seen.add(range(address, address + size))
        return self.memory.view(address, size)


@pytest.mark.parametrize(("config_name", "path"), CASES, ids=lambda value: getattr(value, "stem", value))
def test_the_references_touch_these_bytes(config_name: str, path: Path) -> None:
    config, loadable = config_named(config_name), Loadable.load(path)
    buffers = Buffers(loadable)
    spy = Spy(buffers.ports.dram)
    execute = reference_executor(config, Ports(spy, buffers.ports.sram))
    for entry in loadable.tasks:
        task = read_task(loadable, entry)
        if not isinstance(task, DlaTask):
            continue
        for unit in read_units(config, task, partial(buffers.locate, entry), buffers.ports):
            spy.seen.clear()
            assert unit.launch is not None
            execute(unit.launch)
            told = [range(a.address, a.end) for a in accesses(config, unit)]
            for seen in spy.seen:
                assert any(t.start <= seen.start and seen.stop <= t.stop for t in told), (unit, seen, told)
            for t in told:
                assert {t.start, t.stop} <= {end for s in spy.seen for end in (s.start, s.stop)}, (unit, t)
