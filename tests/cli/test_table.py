"""nvdla-table as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nvdla_sim.cli.table import main
from tests.calib.nets import HARD, INPUT
from tests.shared import golden_set

NAMES = ["data", "c1", "bn1", "sc1", "pr1", "p1", "drop1", "flat", "fc", "relu", "drop2", "fc2", "prob"]


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.prototxt").write_text("\n".join([INPUT, *HARD]))
    same = {"p1": "pr1", "drop1": "pr1", "flat": "pr1", "drop2": "relu"}
    table = {name: {"scale": 1.0 + NAMES.index(same.get(name, name))} for name in NAMES}
    (tmp_path / "t.json").write_text(json.dumps(table))
    monkeypatch.chdir(tmp_path)


NET = ["--prototxt", "net.prototxt"]


@pytest.mark.parametrize("pair", ["lenet", "resnet50"])
def test_the_golden_conversion(pair: str, tmp_path: Path, capsys) -> None:
    folder = golden_set("lenet-mnist" if pair == "lenet" else "trt-cache")
    cache = folder / ("lenet.cache" if pair == "lenet" else "resnet50.txt")
    golden = folder / ("lenet.int8.json" if pair == "lenet" else "resnet50.json")
    output = tmp_path / "out.json"
    assert (
        main(["convert", str(cache), "--prototxt", str(folder / f"{pair}.prototxt"), "-o", str(output)]) == 0
    )
    assert json.loads(output.read_text()) == json.loads(golden.read_text())
    count = len(json.loads(golden.read_text()))
    out = capsys.readouterr().out
    assert f"{count} matched, 0 inherited, 0 defaulted, 0 unused, 0 missing" in out
    assert f"wrote {output}: {count} scales" in out


def test_there_and_back(net, capsys) -> None:
    assert main(["convert", "t.json", *NET, "-o", "t.cache"]) == 0
    assert main(["convert", "t.cache", *NET, "-o", "u.json"]) == 0
    before, after = (json.loads(Path(name).read_text()) for name in ("t.json", "u.json"))
    assert {name: entry["scale"] for name, entry in after.items()} == {
        name: entry["scale"] for name, entry in before.items()
    }
    assert "10 matched, 3 inherited" in capsys.readouterr().out


def test_json_needs_no_net(net) -> None:
    assert main(["convert", "t.json", "-o", "u.json"]) == 0
    assert list(json.loads(Path("u.json").read_text())) == NAMES


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["t.json", "-o", "u.cache"], "--prototxt"),
        (["c.cache", "-o", "u.json"], "--prototxt"),
        (["c.cache", *NET, "-o", "u.json"], "no scale for 11 inputs and layers"),
        (["t.json", *NET, "-o", "u.table"], "caffemodel"),
        (["t.json", *NET, "-o", "u.xml"], "--format"),
        (["t.json", *NET, "--default", "0", "-o", "u.json"], '--default "0"'),
        (["t.json", *NET, "--default", "x", "-o", "u.json"], '--default "x"'),
        (["missing.json", *NET, "-o", "u.json"], "missing.json"),
        (["t.json", "--prototxt", "missing", "-o", "u.json"], "missing"),
    ],
)
def test_conversions_that_cannot_be(net, capsys, options: list[str], message: str) -> None:
    Path("c.cache").write_text("TRT-7202-x\ndata: 3f800000\nc-1: 3f800000\n")
    assert main(["convert", *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("nvdla-table: error: ")
    assert message in error
    assert not list(Path().glob("u.*"))


def test_what_is_missing_gets_a_default_if_asked_for(net, capsys) -> None:
    Path("c.cache").write_text("TRT-7202-x\ndata: 3f800000\nc-1: 3f800000\n")
    assert main(["convert", "c.cache", *NET, "--default", "0.5", "-o", "u.json"]) == 0
    table = json.loads(Path("u.json").read_text())
    assert table["data"]["scale"] == 1
    assert table["c1"]["scale"] == 0.5
    out = capsys.readouterr().out
    assert "c1: defaulted, 0.5 as asked for" in out
    assert 'unused "c-1": the net has no such blob; did you mean "c1"?' in out


def test_a_table_that_fits(net, capsys) -> None:
    assert main(["check", "t.json", *NET]) == 0
    out = capsys.readouterr().out
    assert "13 matched" in out
    assert "t.json fits net.prototxt" in out
    assert "cannot rescale" not in out


def test_layers_that_cannot_rescale_are_told(net, capsys) -> None:
    table = json.loads(Path("t.json").read_text())
    table["p1"]["scale"] = 7
    Path("t.json").write_text(json.dumps(table))
    assert main(["check", "t.json", *NET]) == 0
    out = capsys.readouterr().out
    assert "layers that cannot rescale" in out
    assert "- p1: 7, pr1: 5" in out


def test_a_table_of_another_net(net, capsys) -> None:
    table = json.loads(Path("t.json").read_text())
    table["fc_2"] = table.pop("fc2")
    Path("t.json").write_text(json.dumps(table))
    assert main(["check", "t.json", *NET]) == 2
    captured = capsys.readouterr()
    assert '"fc2" did you mean "fc_2"?' in captured.err
    assert 'unused "fc_2": the net has no such input or layer; did you mean "fc2"?' in captured.out


def test_unique_top(net, capsys) -> None:
    assert main(["unique-top", "net.prototxt", "-o", "unique.prototxt"]) == 0
    assert 'bottom: "c1" top: "bn1"' in Path("unique.prototxt").read_text()
    assert main(["unique-top", "t.json", "-o", "u.prototxt"]) == 2
    assert "prototxt t.json" in capsys.readouterr().err
    assert not Path("u.prototxt").exists()


def test_export_bm1684(net, capsys) -> None:
    command = ["export-bm1684", "net.prototxt", "--table", "t.json", "-o", "out/deep"]
    assert main([*command, "--mean", "1,2,3", "--source", "somewhere"]) == 0
    assert "x = (pixel - (1, 2, 3)) (BGR)" in capsys.readouterr().out
    assert sorted(path.name for path in Path("out/deep").iterdir()) == sorted(
        f"net_{kind}_unique_top.prototxt" for kind in ("deploy_fp32", "deploy_int8", "test_fp32", "test_int8")
    )
    assert "int8_scale: 1" in Path("out/deep/net_deploy_int8_unique_top.prototxt").read_text()
    test = Path("out/deep/net_test_fp32_unique_top.prototxt").read_text()
    assert 'source: "somewhere"' in test
    assert "mean_value: 2" in test
    Path("file").write_text("")
    assert main([*command[:-1], "file"]) == 2
    assert "cannot make file" in capsys.readouterr().err


def test_flags_have_no_room_beside_a_data_layer(net, capsys) -> None:
    text = Path("net.prototxt").read_text().replace(INPUT, "")
    data = 'layer { name: "d" type: "Data" top: "data" transform_param { crop_size: 8 mean_file: "no" } }'
    Path("net.prototxt").write_text(data + text)
    command = ["export-bm1684", "net.prototxt", "--table", "t.json", "-o", "out"]
    assert main([*command, "--normalize", "2"]) == 2
    assert "has a data layer, which is kept" in capsys.readouterr().err
    assert main(command) == 0


def test_a_verb_is_needed(capsys) -> None:
    for arguments in ([], ["convrt"]):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 2
