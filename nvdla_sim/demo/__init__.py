"""The demo net: a LeNet for 28x28 handwritten digits, with its table and ten digits, as package data."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PROTOTXT = FOLDER / "digits.prototxt"
CAFFEMODEL = FOLDER / "digits.caffemodel"
TABLE = FOLDER / "digits.int8.json"


def picture(digit: int) -> Path:
    """The PGM of a handwritten ``digit`` (0 to 9) that the net was not trained on."""
    return FOLDER / f"{digit}.pgm"
