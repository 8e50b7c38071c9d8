"""nvdla-run: its options, its files and its exit codes."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nvdla_sim as nv
from nvdla_sim import demo
from nvdla_sim.cli.run import main
from tests.shared import COMMITTED_GOLDENS

NETS = COMMITTED_GOLDENS / "loadables"
RECIPES = COMMITTED_GOLDENS / "recipes"
LOADABLE = NETS / "conv_1ch" / "nv_small.int8-pk.nvdla"
PICTURE = NETS / "conv_1ch" / "img_16x16x1_noise1.pgm"
GOLDEN = NETS / "conv_1ch" / "nv_small.int8-pk.img_16x16x1_noise1.output.dimg"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def files() -> set[str]:
    return {path.name for path in Path().iterdir()}


def test_rawdump(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--loadable", LOADABLE, "--image", PICTURE, "--rawdump") == 0
    assert Path("output.dimg").read_bytes() == GOLDEN.read_bytes()
    out = capsys.readouterr().out
    assert "assuming nv_small (atoms of 8 bytes); --configtarget sets another" in out
    assert "wrote output.dimg: output " in out
    assert files() == {"output.dimg"}


def test_binary(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--loadable", LOADABLE, "--image", PICTURE, "--configtarget", "nv_small", "-o", "binary")
    assert run(*arguments) == 0
    data = Path("binary").read_bytes()
    values = [int(number) for number in GOLDEN.read_text().split()]
    assert data[:4] == b"DIMG"
    assert np.frombuffer(data[36:], np.int8).tolist() == values
    assert "assuming" not in capsys.readouterr().out


def test_further_outputs() -> None:
    net = NETS / "two_outputs"
    values = net / "raw_32x12x12_12.i8.npy"
    assert run("--loadable", net / "nv_small.int8-pk.nvdla", "--input", values, "--rawdump", "-o", "o") == 0
    golden = net / "nv_small.int8-pk.raw_32x12x12_12.output.dimg"
    assert Path("o").read_bytes() == golden.read_bytes()
    assert Path("o.1").read_bytes() == golden.with_name(f"{golden.name}.1").read_bytes()


def test_several_inputs() -> None:
    folder = RECIPES / "12-multi-io"
    name = "two_in_two_out.nv_small"
    inputs = [("--input", folder / f"{name}.input{end}.npy") for end in ("", "1")]
    assert run("--loadable", folder / f"{name}.nvdla", *inputs[0], *inputs[1], "--rawdump") == 0
    assert Path("output.dimg").read_bytes() == (folder / f"{name}.output.dimg").read_bytes()
    assert Path("output.dimg.1").read_bytes() == (folder / f"{name}.output1.dimg").read_bytes()


def test_a_batch(capsys: pytest.CaptureFixture[str]) -> None:
    """NVIDIA's tool gives and writes the first image; here each that is given comes out."""
    net = NETS / "conv_feat"
    values = np.load(net / "raw_32x12x12_12.i8.npy")
    golden = (net / "nv_small.int8-pk.b2.raw_32x12x12_12.output.dimg").read_bytes()
    np.save("one.npy", values)
    np.save("two.npy", np.stack([-values, values]))
    loadable = ("--loadable", net / "nv_small.int8-pk.b2.nvdla", "--rawdump", "--topk", 1)
    assert run(*loadable, "--input", "one.npy", "-o", "one") == 0
    assert "image" not in capsys.readouterr().out
    assert run(*loadable, "--input", "two.npy", "-o", "two") == 0
    assert files() == {"one.npy", "two.npy", "one", "two", "two.image1"}
    assert Path("one").read_bytes() == Path("two.image1").read_bytes() == golden != Path("two").read_bytes()
    lines = capsys.readouterr().out.splitlines()
    assert 'wrote two.image1: output "conv" of image 1, 48x12x12 (channels x height x width)' in lines
    assert [line for line in lines if line.startswith("image ")] == ["image 0:", "image 1:"]


def test_pictures_of_a_batch(capsys: pytest.CaptureFixture[str]) -> None:
    for batch in (1, 3):
        made = nv.compile(demo.PROTOTXT, demo.CAFFEMODEL, demo.TABLE, target="nv_small", batch=batch)
        made.save(f"of{batch}.nvdla")
    for digit in (4, 7):
        assert run("--loadable", "of1.nvdla", "--image", demo.picture(digit), "-o", f"is{digit}") == 0
    pictures = [word for digit in (4, 7) for word in ("--image", demo.picture(digit))]
    assert run("--loadable", "of3.nvdla", *pictures) == 0
    assert "output.dimg.image2" not in files()  # the third is not given
    header, binary = 36, [Path(f"output.dimg{end}").read_bytes() for end in ("", ".image1")]
    assert [data[header:] for data in binary] == [Path(f"is{i}").read_bytes()[header:] for i in (4, 7)]
    assert run("--loadable", "of1.nvdla", *pictures) == 2
    assert 'input "data" takes 1 image, 2 are given' in capsys.readouterr().err


def test_topk_with_labels(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("in.npy", np.array([5, 1, 9, 2, 0, 3, 3, -8, 7, 6], np.int8).reshape(10, 1, 1))
    Path("labels").write_text("\n".join(f"number {i}" for i in range(10)))
    loadable = NETS / "softmax" / "nv_small.int8-pk.nvdla"
    assert run("--loadable", loadable, "--input", "in.npy", "--topk", 2, "--labels", "labels") == 0
    lines = capsys.readouterr().out.splitlines()[-2:]
    assert re.fullmatch(r" +2 +\d+ +0\.\d{4}  number 2", lines[0])
    assert re.fullmatch(r" +8 +\d+ +0\.\d{4}  number 8", lines[1])


def test_labels_alone_print_five(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("in.npy", np.zeros((10, 1, 1), np.int8))
    Path("labels").write_text("\n".join(f"number {i}" for i in range(10)))
    loadable = NETS / "softmax" / "nv_small.int8-pk.nvdla"
    assert run("--loadable", loadable, "--input", "in.npy", "--labels", "labels") == 0
    assert capsys.readouterr().out.count("number") == 5


def test_mean_and_normalize_are_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--mean", "104,117,123", "--normalize", "127.5", "--rawdump")
    assert run("--loadable", LOADABLE, "--image", PICTURE, *options) == 0
    assert Path("output.dimg").read_bytes() == GOLDEN.read_bytes()
    out = capsys.readouterr().out
    assert "--mean is not used: int8 networks take pixels as they are" in out
    assert "--normalize is not used" in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        run("--version")
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("nvdla-run ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--image", "nowhere.pgm"), "picture nowhere.pgm: No such file"),
        (("--image", PICTURE, "--configtarget", "nv_smal"), 'did you mean "nv_small"'),
        (("--image", PICTURE, "--input", "in.npy"), "--image and --input exclude each other"),
        ((), '1 input ("data"), 0 are given'),
        (("--input", "nowhere.npy"), "input nowhere.npy: not a readable .npy"),
        (("--image", PICTURE, "--topk", "0"), '--topk "0" is not a positive number'),
        (("--image", PICTURE, "--topk", "many"), '--topk "many" is not a positive number'),
        (("--image", PICTURE, "--labels", "nowhere"), "labels nowhere: No such file"),
        (("--image", PICTURE, "--labels", LOADABLE), "no text but binary data; needed is one name a line"),
        (("--image", PICTURE, "-o", "no/where"), "cannot write no/where"),
        (("--image", PICTURE, "-o", ""), 'cannot write "": that is no name of a file'),
        (("--image", LOADABLE), "not a readable PGM (P5), JPEG or PNG file"),
        (("--image", ""), "picture : Is a directory"),
    ],
)
def test_user_errors(options: tuple[object, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--loadable", LOADABLE, *options) == 2
    err = capsys.readouterr().err
    assert err.startswith("nvdla-run: error: ")
    assert message in err
    assert "Traceback" not in err
    assert files() == set()


def test_all_wrong_options_are_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--image", PICTURE, "--input", "in.npy", "--configtarget", "small", "--topk", "x")
    assert run("--loadable", LOADABLE, *options) == 2
    headline, *problems = capsys.readouterr().err.splitlines()
    assert headline == "nvdla-run: error: 3 options cannot be used:"
    for problem, word in zip(problems, ('"small"', "exclude each other", "--topk"), strict=True):
        assert word in problem


def test_too_few_labels_write_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Path("labels").write_text("one\n")
    assert run("--loadable", LOADABLE, "--image", PICTURE, "--labels", "labels") == 2
    assert "--labels: 1 names, but output " in capsys.readouterr().err
    assert files() == {"labels"}


def picture_of(mode: str, size: tuple[int, int]) -> Path:
    Image.new(mode, size).save("picture.png")
    return Path("picture.png")


@pytest.mark.parametrize(
    ("mode", "size", "message"),
    [
        ("L", (16, 17), "16x17 pixels (width x height), the network's input is 16x16"),
        ("RGB", (16, 16), "has 3 channels, the network's input"),
        ("RGBA", (16, 16), "save it as 8-bit grey or RGB"),
    ],
)
def test_pictures_that_do_not_fit(
    mode: str, size: tuple[int, int], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--loadable", LOADABLE, "--image", picture_of(mode, size)) == 2
    assert message in capsys.readouterr().err
    assert files() == {"picture.png"}


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((1, 16, 16), np.float32),
        np.zeros((16, 16), np.int8),
        np.zeros((1, 16, 15), np.int8),
        np.zeros((3, 16, 16), np.int8),
        np.zeros((5, 16, 16), np.int8),
        np.array(0, np.int8),
        np.zeros((0, 16, 16), np.int8),
    ],
)
def test_arrays_that_do_not_fit(array: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("in.npy", array)
    assert run("--loadable", LOADABLE, "--input", "in.npy") == 2
    assert 'input "data"' in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["objects", "cut", "huge", "text", "empty", "archive"])
def test_damaged_arrays(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("in.npy", np.zeros((1, 16, 16), np.int8))
    data = Path("in.npy").read_bytes()
    if kind == "archive":
        np.savez("in.npz", a=np.zeros(3, np.int8))
    contents = {
        "objects": pickle.dumps([1, 2]),
        "cut": data[:-1],
        "huge": data.replace(b"(1, 16, 16)", b"(9999999999, 99, 99)"),
        "text": b"1 2 3",
        "empty": b"",
        "archive": Path("in.npz").read_bytes() if kind == "archive" else b"",
    }
    Path("in.npy").write_bytes(contents[kind])
    assert run("--loadable", LOADABLE, "--input", "in.npy") == 2
    assert "input in.npy: not a readable .npy file" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["missing", "empty", "cut", "picture", "flipped", "folder"])
def test_bad_loadables(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    data = LOADABLE.read_bytes()
    if kind == "folder":
        Path("net.nvdla").mkdir()
    elif kind != "missing":
        flipped = bytearray(data)
        flipped[0] ^= 0x80  # the root's offset
        contents = {"empty": b"", "cut": data[: len(data) // 2], "picture": PICTURE.read_bytes()}
        Path("net.nvdla").write_bytes(contents.get(kind, bytes(flipped)))
    assert run("--loadable", "net.nvdla", "--image", PICTURE) == 2
    err = capsys.readouterr().err
    assert err.startswith("nvdla-run: error: ")
    assert "net.nvdla" in err
    assert "output.dimg" not in files()


def test_every_flipped_bit_ends_well() -> None:
    """Somewhere in the file: the right bytes, other bytes, or an error; never anything else."""
    data = LOADABLE.read_bytes()
    rng = np.random.default_rng(7)
    codes = set()
    for position in rng.integers(0, len(data) * 8, 60):
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        Path("net.nvdla").write_bytes(flipped)
        codes.add(run("--loadable", "net.nvdla", "--image", PICTURE, "--configtarget", "nv_small"))
    assert codes == {0, 2}


def test_a_refused_loadable_tells_why(capsys: pytest.CaptureFixture[str]) -> None:
    net = NETS / "conv_softmax_conv"
    assert run("--loadable", net / "nv_small.int8-pk.nvdla", "--image", PICTURE) == 2
    err = capsys.readouterr().err
    assert "never ends" in err
    assert "operation 1 (SDP) depends on itself" in err
    assert files() == set()
