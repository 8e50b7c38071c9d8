"""What the tools say of inputs that are not there, or not what they should be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tools import calibration_matrix, make_registers, planted_faults


@pytest.mark.parametrize(
    ("main", "needed"),
    [
        (calibration_matrix.main, "needed are a .prototxt, a .caffemodel and pictures in images/"),
        (planted_faults.main, "holds no net of 3 scales"),
        (make_registers.main, "register tables"),
    ],
)
@pytest.mark.parametrize("kind", ["missing", "binary", "folder"])
def test_a_wrong_path_is_a_users_error(
    main: Callable[[list[str]], int],
    needed: str,
    kind: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / kind
    if kind == "binary":
        path.write_bytes(bytes(range(256)))
    elif kind == "folder":
        path.mkdir()
    assert main([str(path)]) == 2
    told = capsys.readouterr().err
    assert str(path) in told
    assert needed in told
    assert len(told) < 1000
