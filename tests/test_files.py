from __future__ import annotations

from pathlib import Path

import pytest

from nvdla_sim.errors import ModelError, NvdlaError
from nvdla_sim.files import read_bytes, write_atomically


def test_a_file_is_read_whole_up_to_its_limit(tmp_path: Path):
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert read_bytes(path, ModelError, "net", 5) == b"12345"
    with pytest.raises(ModelError, match=f"net {path}: 5 bytes, allowed: up to 4"):
        read_bytes(path, ModelError, "net", 4)


@pytest.mark.parametrize(("name", "why"), [("", "Is a directory"), ("missing", "No such file")])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, why: str):
    with pytest.raises(ModelError, match=f"net {tmp_path / name}: {why}"):
        read_bytes(tmp_path / name, ModelError, "net")


def test_a_device_is_not_read_for_ever():
    with pytest.raises(ModelError, match="net /dev/zero: a device, which may never end"):
        read_bytes("/dev/zero", ModelError, "net")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path):
    path = tmp_path / "x"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x", b"two")]
    (tmp_path / "folder").mkdir()
    with pytest.raises(NvdlaError, match=f"cannot write {tmp_path / 'folder'}"):
        write_atomically(tmp_path / "folder", b"three")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "x"]
