"""nvdla-compare as a user meets it: files, messages, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nvdla_sim import demo
from nvdla_sim.cli.compare import main

NET = ["--prototxt", str(demo.PROTOTXT), "--caffemodel", str(demo.CAFFEMODEL)]
SEVEN = ["--image", str(demo.picture(7)), "--normalize", "255", "--configtarget", "nv_small"]


def table_with(folder: Path, **scales: float | None) -> str:
    """The demo's table with other scales; None takes the entry out."""
    content = json.loads(demo.TABLE.read_text())
    for name, scale in scales.items():
        content[name] = {"scale": scale}
        if scale is None:
            del content[name]
    path = folder / "table.json"
    path.write_text(json.dumps(content))
    return str(path)


def failed(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """The message of a command that must fail as a user's error."""
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert "Traceback" not in message
    return message


def test_a_good_table(capsys) -> None:
    assert main([*NET, *SEVEN, "--calibtable", str(demo.TABLE)]) == 0
    out = capsys.readouterr().out
    assert "nv_small, per-kernel" in out
    assert "x = pixel / 255 (BGR); int8 input q = clip(floor(x / 0.00787401572 + 0.5), -128, 127)" in out
    assert "verdict: no layer stands out" in out


def test_a_broken_scale_with_all_outputs(tmp_path: Path, capsys) -> None:
    table = table_with(tmp_path, conv2=0.0001)
    outputs = {name: str(tmp_path / f"out.{name}") for name in ("html", "json", "dump")}
    options = [word for name, path in outputs.items() for word in (f"--{name}", path)]
    assert main([*NET, *SEVEN, "--calibtable", table, *options]) == 0
    out = capsys.readouterr().out
    assert "verdict: conv2: wrong table entry" in out
    assert f"wrote {outputs['html']}" in out
    content = json.loads(Path(outputs["json"]).read_text())
    assert content["verdict"]["layer"] == "conv2"
    assert "x = pixel / 255" in content["facts"][1]
    assert "conv2: wrong table entry" in Path(outputs["html"]).read_text()
    chip = np.load(tmp_path / "out.dump" / "chip" / "prob.npy")
    # the dump is what the same command takes
    assert main([*NET, *SEVEN, "--calibtable", table, "--against", outputs["dump"]]) == 0
    assert "tensors of" in (out := capsys.readouterr().out)
    assert "all agree" in out
    chip[3] ^= 1
    np.save(tmp_path / "out.dump" / "chip" / "prob.npy", chip)
    assert main([*NET, *SEVEN, "--calibtable", table, "--against", outputs["dump"]]) == 0
    assert '"prob" (chip) is the first that differs, first at (3, 0, 0)' in capsys.readouterr().out


def test_deny_and_bits(tmp_path: Path, capsys) -> None:
    options = ["--tensor-bits", "32,8", "--deny", "conv1", "ip1", "--json", str(tmp_path / "out.json")]
    assert main([*NET, *SEVEN, "--calibtable", str(demo.TABLE), *options]) == 0
    content = json.loads((tmp_path / "out.json").read_text())
    assert [tensor["name"] for tensor in content["tensors"] if tensor["denied"]] == ["conv1", "relu1"]
    assert set(content["tensors"][0]["accumulated"]) == {"fake8", "chip"}


def test_nothing_to_keep_in_float(capsys) -> None:
    options = ["--tensor-bits", "32", "--deny", "conv1"]
    assert "--deny" in failed(capsys, [*NET, *SEVEN, "--calibtable", str(demo.TABLE), *options])


def test_values_from_a_file_need_no_preprocessing(tmp_path: Path, capsys) -> None:
    values = np.full((1, 28, 28), 0.5, np.float32)
    np.save(tmp_path / "x.npy", values)
    arguments = [*NET, "--calibtable", str(demo.TABLE), "--image", str(tmp_path / "x.npy")]
    assert main(arguments) == 0
    assert "x = the stored value, preprocessed already; int8 input q" in capsys.readouterr().out
    assert "leave --mean, --normalize out" in failed(
        capsys, [*arguments, "--mean", "1", "--normalize", "255"]
    )


def test_a_missing_entry_is_a_verdict(tmp_path: Path, capsys) -> None:
    assert main([*NET, *SEVEN, "--calibtable", table_with(tmp_path, pool1=None)]) == 0
    assert "verdict: pool1: missing table entry" in capsys.readouterr().out


def test_a_table_of_another_net(tmp_path: Path, capsys) -> None:
    names = ("conv1", "conv2", "ip1", "relu1", "ip2", "pool1", "pool2")
    table = table_with(tmp_path, **dict.fromkeys(names), convolution1=0.1)
    message = failed(capsys, [*NET, *SEVEN, "--calibtable", table])
    assert "is of another net" in message
    assert '"conv1"' in message
    assert '"relu1"' in message


def test_wrong_options_all_at_once(capsys) -> None:
    options = ["--configtarget", "nv_tiny", "--tensor-bits", "32,4", "--quantizationMode", "per-layer"]
    message = failed(capsys, [*NET, "--image", "x", "--calibtable", str(demo.TABLE), *options])
    for word in ("nv_tiny", 'tensor-bits "4"', "per-layer"):
        assert word in message


def test_unreadable_files(tmp_path: Path, capsys) -> None:
    table = ["--calibtable", str(demo.TABLE)]
    (tmp_path / "cut.pgm").write_bytes(demo.picture(7).read_bytes()[:100])
    for image in ("cut.pgm", "missing.pgm"):
        assert image in failed(capsys, [*NET, *table, "--image", str(tmp_path / image)])
    (tmp_path / "table.json").write_text("{")
    message = failed(capsys, [*NET, *SEVEN, "--calibtable", str(tmp_path / "table.json")])
    assert "is not JSON" in message
    assert "2 are given" in failed(capsys, [*NET, *table, *SEVEN, "--image", str(demo.picture(7))])
    assert "is not a folder" in failed(capsys, [*NET, *table, *SEVEN, "--against", str(tmp_path / "no")])


def prototxt_with(folder: Path, transform: str) -> list[str]:
    """The demo net fed by a Data layer with this transform_param."""
    text = demo.PROTOTXT.read_text()
    rest = text[text.index('name: "conv1"') :]
    layer = (
        'layer {\n name: "data" type: "ImageData" top: "data" top: "label"\n'
        ' image_data_param { source: "list.txt" batch_size: 1 is_color: false '
        "new_height: 28 new_width: 28 }\n"
        f" transform_param {{ {transform} }}\n}}\n"
    )
    path = folder / "data.prototxt"
    path.write_text(f'name: "digits"\n{layer}layer {{\n  {rest}')
    return ["--prototxt", str(path), "--caffemodel", str(demo.CAFFEMODEL)]


def test_preprocessing_from_the_prototxt(tmp_path: Path, capsys) -> None:
    net = prototxt_with(tmp_path, "scale: 0.00392156862745098")
    arguments = [*net, "--calibtable", str(demo.TABLE), "--image", str(demo.picture(7))]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "x = pixel * 0.00392156" in out
    assert "verdict: no layer stands out" in out
    message = failed(capsys, [*arguments, "--normalize", "255"])
    assert 'layer "data" (line 2) has a transform_param, and there is --normalize as well' in message


def test_both_kinds_of_transform(tmp_path: Path, capsys) -> None:
    net = prototxt_with(tmp_path, "scale: 0.5 transform_op { op: STAND mean_value: 1 }")
    message = failed(capsys, [*net, "--calibtable", str(demo.TABLE), "--image", str(demo.picture(7))])
    assert "transform_op and the plain scale exclude each other" in message


def test_the_forgotten_normalisation_is_named(capsys) -> None:
    arguments = [*NET, "--calibtable", str(demo.TABLE), "--image", str(demo.picture(7))]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "verdict: data: preprocessing" in out
    assert "try: give mean, normalize and channel order" in out
