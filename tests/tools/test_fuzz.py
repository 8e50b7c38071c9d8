"""A short run of every kind of input, and that the fuzzer sees what it is made to see."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw import sdp
from tests.shared import COMMITTED_GOLDENS
from tools import fuzz
from tools.fuzz import ENGINES, FOUND, RAN, REFUSED, SUBJECTS, judge, make, outcomes
from tools.fuzz_loadables import Loadables
from tools.fuzz_programs import Programs
from tools.fuzz_support import Case, Finding, cut_bytes, guarded, other_bytes, other_number

COUNTS = {"loadables": 150, "programs": 250, "traces": 20, "nets": 15, "pictures": 60}


@pytest.fixture(autouse=True)
def committed_seeds(monkeypatch: pytest.MonkeyPatch):
    """The short runs are the same on every machine."""
    monkeypatch.setattr(fuzz, "GOLDENS", [COMMITTED_GOLDENS])


@pytest.mark.parametrize("what", list(SUBJECTS))
def test_a_short_run(what: str):
    subject = SUBJECTS[what]()
    found = [judge(make(subject, what, 1, number), number, ENGINES) for number in range(COUNTS[what])]
    assert [outcome for outcome in found if outcome.verdict == FOUND] == []
    verdicts = Counter(outcome.verdict for outcome in found)
    assert min(verdicts[RAN], verdicts[REFUSED]) > COUNTS[what] / 8  # neither harmless nor hopeless


@pytest.mark.parametrize("what", ["loadables", "programs", "pictures"])
def test_a_number_is_always_the_same_case(what: str, tmp_path: Path):
    subjects = [SUBJECTS[what](), SUBJECTS[what]()]
    for number in (3, 1):
        one, other = (
            make(subject, what, 0, number).save(tmp_path / str(i)) for i, subject in enumerate(subjects)
        )
        files = [sorted(p.glob("*")) if p.is_dir() else [p] for p in (one, other)]
        assert [f.read_bytes() for f in files[0]] == [f.read_bytes() for f in files[1]]
    assert make(subjects[0], what, 0, 1) != make(subjects[0], what, 1, 1)


def test_mutations_change_something():
    rng = Random(1)
    for _ in range(300):
        data = bytearray(range(50))
        other_bytes(rng, data)
        assert len(data) == 50
        assert 0 <= other_number(rng, 7, 5) < 32
        assert set(cut_bytes(rng, data)) <= set(data)
    assert len({other_number(rng, 7, 32) for _ in range(300)}) > 50


# --- what is wrong is found --------------------------------------------------------------------------------


class Playing:
    """A case that does what it is told to."""

    seed = "made up"

    def __init__(self, what: str) -> None:
        self.what = what

    def play(self, engines: Sequence[str]) -> None:
        match self.what:
            case "error":
                raise ProgramError("the chip refuses it")
            case "long error":
                raise ProgramError("x" * 20_000)
            case "difference":
                raise Finding("one byte differs")
            case "exception":
                raise IndexError("list index out of range")
            case "slow":
                end = time.process_time() + 0.03
                while time.process_time() < end:
                    pass
            case "memory":
                np.ones(200 << 20, np.uint8)  # so much always comes from pages never used before
            case "dies":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "hangs":
                time.sleep(1000)

    def save(self, path: Path) -> Path:
        path.write_text(self.what)
        return path


@pytest.mark.parametrize(
    ("what", "verdict", "kind"),
    [
        ("", RAN, RAN),
        ("error", REFUSED, "ProgramError"),
        ("long error", FOUND, "long message"),
        ("difference", FOUND, "difference"),
        ("exception", FOUND, "IndexError"),
        ("slow", FOUND, "slow"),
        ("memory", FOUND, "memory"),
    ],
)
def test_verdicts(what: str, verdict: str, kind: str, monkeypatch: pytest.MonkeyPatch):
    if what == "slow":
        monkeypatch.setattr(fuzz, "SLOW", 0.02)
    monkeypatch.setattr(fuzz, "PEAK", 20 << 20)
    outcome = judge(Playing(what), 5, ENGINES)
    assert (outcome.number, outcome.verdict, outcome.kind) == (5, verdict, kind)


class Scripted:
    """Case n does word n of a script."""

    script = ("", "dies", "", "hangs", "error", "exception")

    def case(self, rng: Random) -> Case:
        raise NotImplementedError


def scripted(what: object, name: str, seed: int, number: int) -> Case:
    return Playing(Scripted.script[number])


def test_workers_that_die_or_hang_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # a forked worker has what is patched here; the command's own are spawned, which is safer with threads
    monkeypatch.setattr(fuzz, "START_METHOD", "fork")
    monkeypatch.setattr(fuzz, "HANGS", 4)
    monkeypatch.setattr(fuzz, "make", scripted)
    monkeypatch.setitem(SUBJECTS, "script", Scripted)
    found = list(outcomes("script", 0, range(len(Scripted.script)), ENGINES, tmp_path / "log"))
    assert [outcome.number for outcome in found] == list(range(len(Scripted.script)))
    assert [outcome.kind for outcome in found] == [RAN, "died", RAN, "hang", "ProgramError", "IndexError"]
    assert "exit code -11" in found[1].text
    assert "Segmentation fault" in found[1].text
    assert "in play" in found[1].text  # the Python frames


def test_findings_are_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.setattr(fuzz, "START_METHOD", "fork")
    monkeypatch.setattr(fuzz, "make", scripted)
    monkeypatch.setitem(SUBJECTS, "loadables", Scripted)
    code = fuzz.main(["--what", "loadables", "--first", "4", "--count", "2", "-o", str(tmp_path)])
    assert code == 1
    assert (tmp_path / "loadables-0-5").read_text() == "exception"
    assert "IndexError: list index out of range" in (tmp_path / "loadables-0-5.txt").read_text()
    printed = capsys.readouterr().out
    assert f"{tmp_path / 'loadables-0-5'} (made up): IndexError: IndexError: list index" in printed
    assert printed.endswith("2 cases, 1 findings\n")


@pytest.mark.parametrize("place", [-1, 8192])
@pytest.mark.parametrize("write", [False, True])
def test_memory_is_guarded_at_both_ends(place: int, write: bool):
    array = guarded(8192)
    array[:] = 7
    assert array.sum() == 7 * 8192
    pid = os.fork()
    if pid == 0:
        faulthandler.disable()
        byte = ctypes.c_uint8.from_address(array.ctypes.data + place)
        if write:
            byte.value = 1
        os._exit(byte.value & 0)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGSEGV


@pytest.mark.parametrize("what", ["loadables", "programs"])
def test_wrong_bytes_are_found(what: str, monkeypatch: pytest.MonkeyPatch):
    """A reference that rounds otherwise differs from the kernels."""
    right = sdp.round_shift
    monkeypatch.setattr(sdp, "round_shift", lambda value, shift: right(value, shift) + 1)
    subject: Loadables | Programs = SUBJECTS[what]()  # type: ignore[assignment]
    found = Counter(judge(make(subject, what, 1, number), number, ENGINES).kind for number in range(40))
    assert found["difference"] > 5
