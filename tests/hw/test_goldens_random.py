"""The chip against the golden register programs: memory and checked reads, and what must be refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nvdla_sim.errors import NvdlaError, ProgramError, UnsupportedError
from nvdla_sim.hw.config import CONFIGS
from tests.shared import COMMITTED_GOLDENS, golden_paths
from tools.golden_programs import WAIT, WRITE, Case, Engine, load, play
from tools.trace import engine_named

SELECTION = sorted((COMMITTED_GOLDENS / "random").glob("*.npz"))
PROGRAMS = golden_paths("random/*.npz") + golden_paths("traces/*.npz")
ILLEGAL = golden_paths("random/refused/illegal.*.jsonl")
HANGING = golden_paths("random/refused/nv_full.sdp_mix.jsonl")

ENGINES = ("reference", "kernels")

Count = Callable[[str, str, str, int, int], None]


def failures(cases: list[Case], engine: Engine) -> list[str]:
    """One text for each case that does not end as it must: in the chip's bytes, or, fp16, refused."""
    found = []
    for case in cases:
        try:
            problems = play(case, engine)
            if case.fp16:
                problems.append("fp16 must be refused")
        except NvdlaError as problem:
            problems = [] if case.fp16 and isinstance(problem, UnsupportedError) else [str(problem)]
        if problems:
            found.append("\n  ".join([case.name, *problems]))
    return found


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", SELECTION, ids=lambda path: path.stem)
def test_selection(path: Path, engine: str) -> None:
    cases = load(path)
    assert {case.config.name for case in cases} == {path.stem}
    found = failures(cases, engine_named(engine))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_programs(path: Path, engine: str, count_goldens: Count) -> None:
    cases = load(path)
    assert cases
    found = failures(cases, engine_named(engine))
    suite = "register programs" + (" refused (fp16)" if cases[0].fp16 else "")
    count_goldens(
        f"{suite}, {engine}", cases[0].engine, cases[0].config.name, len(cases) - len(found), len(found)
    )
    assert not found, "\n".join(found)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", ILLEGAL, ids=lambda path: path.stem)
def test_illegal_programs(path: Path, engine: str, count_goldens: Count) -> None:
    """What the chip refuses, hangs or dies on ends in a clear error; what it completes ends somehow.

    Where the chip's output stayed that of the program before the change, ours does too, or it is refused.
    """
    bases: dict[str, Case] = {}
    passed = 0
    wrong = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        if row["base"] not in bases:
            base_file = path.parent.parent / f"{row['config']}.{row['engine']}.npz"
            bases.update((case.name, case) for case in load(base_file))
        case = patched(bases[row["base"]], row["patch"])
        try:
            problems = play(case, engine_named(engine))
        except NvdlaError:
            passed += 1
            continue
        if row["outcome"] != "completes":
            wrong.append(f"{case.name}, {row['mutation']}: {row['outcome']} on the chip, runs here")
        elif row["message"] == "same output" and problems:
            wrong.append(f"{case.name}, {row['mutation']}: same output on the chip, but {problems[0]}")
        else:
            passed += 1
    config = path.stem.split(".")[1]
    count_goldens(f"illegal register programs, {engine}", "all units", config, passed, len(wrong))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", HANGING, ids=lambda path: path.stem)
def test_programs_that_hang_the_chip(path: Path, engine: str, count_goldens: Count) -> None:
    """int16 to int8 with an odd number of surfaces, each program refused for what the chip dies of."""
    config, name, _ = path.name.split(".")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows
    for row in rows:
        ops = np.array(row["ops"], np.uint32)
        case = Case(row["name"], CONFIGS[config], name, ops, inputs=(), outputs=())
        with pytest.raises(ProgramError, match="int16 to int8 output takes pairs of surfaces"):
            play(case, engine_named(engine))
    count_goldens(f"hanging register programs, {engine}", name, config, len(rows), 0)


def patched(case: Case, patch: list[list[Any]]) -> Case:
    """The case with its operations changed, without its register reads: they belong to the case before."""
    rows = case.ops.tolist()
    for _, index, *access in (change for change in patch if change[0] == "set"):
        rows[index][1:] = access
    for index in sorted((change[1] for change in patch if change[0] == "delete"), reverse=True):
        del rows[index]
    for _, index, *access in (change for change in patch if change[0] == "insert"):
        rows.insert(index, [WRITE, *access])
    return replace(case, ops=np.array([row for row in rows if row[0] in (WRITE, WAIT)], np.uint32))
