"""Picture files: decoding, and data sets that are a list of them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.calib.datasets.dataset import Dataset, Sample
from nvdla_sim.errors import ImageError
from nvdla_sim.files import read_bytes
from nvdla_sim.pictures import decode_picture

ENDINGS = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm")
FORMATS = ("BMP", "JPEG", "PNG", "PPM")
GREY_MODES = ("1", "L", "LA")
COLOUR_MODES = ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr")
MAX_PIXELS = 1 << 26

MAX_LIST_BYTES = 256 << 20


class Entry(NamedTuple):
    path: Path
    label: int | None


def read_picture(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """uint8 CHW, one channel if grey, else blue, green, red; ``ImageError`` when it is damaged or no picture.

    BMP, JPEG, PNG, PGM and PPM of 8 bits; transparency is left out.
    """
    return decode(read_bytes(path, ImageError, "picture"), f"picture {os.fspath(path)}")


def decode(data: bytes, where: str) -> NDArray[np.uint8]:
    """As ``read_picture``, of a file's bytes."""

    def look(size: tuple[int, int], mode: str, transparent: bool) -> str:
        width, height = size
        if width * height > MAX_PIXELS:
            raise ImageError(f"{where}: {width}x{height} pixels, allowed: up to {MAX_PIXELS}")
        if mode not in (*GREY_MODES, *COLOUR_MODES):
            raise ImageError(f"{where}: its pixels ({mode}) are wider than 8 bits")
        return "L" if mode in GREY_MODES else "RGB"

    return decode_picture(data, where, FORMATS, "BMP, JPEG, PNG, PGM or PPM", look).transpose(2, 0, 1)


class Pictures(Dataset):
    """Picture files with or without labels, in the order given."""

    def __init__(self, source: str, entries: Sequence[Entry]) -> None:
        self.source = source
        self.entries = entries

    def __len__(self) -> int:
        return len(self.entries)

    def read(self, index: int) -> Sample:
        path, label = self.entries[index]
        return Sample(os.fspath(path), read_picture(path), label)


def is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS


def picture_folder(folder: Path) -> Pictures | None:
    """The pictures of a folder in the order of their names, or of its class folders; None if there are none.

    A class folder's label is its name where all names are numbers, else its place in the sorted names.
    """
    children = sorted(folder.iterdir())
    files = [Entry(path, None) for path in children if is_picture(path)]
    if files:
        return Pictures(f"folder {folder}", files)
    classes = {path: sorted(filter(is_picture, path.iterdir())) for path in children if path.is_dir()}
    classes = {path: pictures for path, pictures in classes.items() if pictures}
    if not classes:
        return None
    numeric = all(re.fullmatch(r"[0-9]{1,9}", path.name) for path in classes)
    entries = [
        Entry(picture, int(path.name) if numeric else place)
        for place, (path, pictures) in enumerate(classes.items())
        for picture in pictures
    ]
    return Pictures(f"class folders of {folder}", entries)


def picture_list(path: Path, root: Path | None = None) -> Pictures:
    """A text of lines ``path label`` or ``path``; relative paths start at ``root``, or where the list is."""
    source = f"list {path}"
    data = read_bytes(path, ImageError, "list of images")
    if len(data) > MAX_LIST_BYTES:
        raise ImageError(f"{source}: {len(data)} bytes, allowed: up to {MAX_LIST_BYTES}")
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError as problem:
        raise ImageError(
            f"{source}: neither a data set of a known kind nor a text of paths (byte {problem.start})"
        ) from None
    base = path.parent if root is None else root
    entries = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if "\0" in line:
            raise ImageError(f"{source}: line {number} is no path")
        labelled = re.fullmatch(r"(.*\S)\s+(-?[0-9]{1,9})", line.strip())
        name, label = (labelled[1], int(labelled[2])) if labelled else (line.strip(), None)
        entries.append(Entry(base / name, label))
    return Pictures(source, entries)
