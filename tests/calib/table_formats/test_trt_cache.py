"""TensorRT's cache as text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvdla_sim.calib.table_formats.trt_cache import parse, render
from nvdla_sim.errors import CalibrationError


def test_digits_are_a_big_endian_float() -> None:
    text = "TRT-7202-EntropyCalibration2\ndata: 4000890a\n\n(Unnamed Layer* 4) [Scale]_output: 3c010a14\n"
    scales = parse(text, "it")
    assert list(scales) == ["data", "(Unnamed Layer* 4) [Scale]_output"]
    assert scales["data"] == pytest.approx(255 * 2048.5 / 2048 / 127)
    assert scales["(Unnamed Layer* 4) [Scale]_output"] == pytest.approx(2048.5 / 2048 / 127)


@pytest.mark.parametrize("calibrator", ["EntropyCalibration", "MinMaxCalibration", "LegacyCalibration"])
def test_every_calibrator_is_read(calibrator: str) -> None:
    assert parse(f"TRT-5101-{calibrator}\na: 3f800000", "it") == {"a": 1.0}


@given(st.dictionaries(
    st.text("abc:/ ()*[]01", min_size=1).map(str.strip).filter(bool), st.floats(2**-99, 2**99, width=32)
))  # fmt: skip
def test_what_is_written_is_read(scales: dict[str, float]) -> None:
    assert parse(render(scales, "EntropyCalibration2"), "it") == scales


def test_floats_are_not_rounded() -> None:
    scale = float(np.float32(0.1) / np.float32(127))
    assert parse(render({"a": scale}, "x"), "it")["a"] == scale


@pytest.mark.parametrize("text", ["", "data: 3f800000", "TRT-7202", "1\ndata: 3f800000"])
def test_no_cache(text: str) -> None:
    with pytest.raises(CalibrationError, match="it: its first line"):
        parse(text or "\n", "it")


def test_all_wrong_lines_at_once() -> None:
    text = "TRT-7202-x\na 3f800000\n: 3f800000\nb: 3f80000\nc: 3f80000g\nd: 3f800000\nd: 3f800000\n"
    with pytest.raises(CalibrationError) as error:
        parse(text, "it")
    message = str(error.value)
    assert "5 wrong lines" in message
    for line in (2, 3, 4, 5, 7):
        assert f"line {line}:" in message
