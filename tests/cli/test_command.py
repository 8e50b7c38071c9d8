"""What all commands share: how they end."""

from __future__ import annotations

import argparse
import subprocess
import sys
import warnings

import pytest

from nvdla_sim.cli._command import command_parser, run_command
from nvdla_sim.errors import ModelError


def end(error: BaseException | None) -> int:
    def work(options: argparse.Namespace) -> None:
        if error is not None:
            raise error

    return run_command(command_parser("nvdla-test", "Nothing."), work, [])


def test_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert end(None) == 0
    assert end(ModelError("the file is at fault")) == 2
    assert capsys.readouterr().err == "nvdla-test: error: the file is at fault\n"
    assert end(KeyboardInterrupt()) == 130
    with pytest.raises(ZeroDivisionError):  # a bug of ours: Python shows it and exits with 1
        end(ZeroDivisionError())


def test_names_cannot_command_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert end(ModelError("layer \x1b[2J\x9b1m is wrong:\n  - é")) == 2
    assert capsys.readouterr().err == "nvdla-test: error: layer ?[2J?1m is wrong:\n  - é\n"


def test_a_warning_is_a_message_too(capsys: pytest.CaptureFixture[str]) -> None:
    def work(options: argparse.Namespace) -> None:
        warnings.warn("the file is strange", stacklevel=1)

    assert run_command(command_parser("nvdla-test", "Nothing."), work, []) == 0
    assert capsys.readouterr().err == "nvdla-test: warning: the file is strange\n"


def test_a_reader_that_goes_away_is_no_bug() -> None:
    program = (
        "import sys; from nvdla_sim.cli._command import command_parser, run_command; "
        "sys.exit(run_command(command_parser('x', 'y'), lambda options: print('z' * 1000000), []))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 141
