"""Pictures -> an lmdb of Datum with the keys and values of Caffe's convert_imageset.

Source: BVLC/caffe, tools/convert_imageset.cpp and src/caffe/util/io.cpp (ReadImageToDatum).
"""

from __future__ import annotations

import io
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.caffe.caffe_pb2 import Datum
from nvdla_sim.calib.datasets.dataset import Skipped
from nvdla_sim.calib.datasets.pictures import Entry, picture_list, read_picture
from nvdla_sim.calib.preprocess import with_channels
from nvdla_sim.calib.resize import resize
from nvdla_sim.errors import ImageError, OptionError, UnsupportedError
from nvdla_sim.files import read_bytes

MAP_BYTES = 1 << 40  # address space only; what Caffe takes
ENCODINGS = {"bmp": "BMP", "jpeg": "JPEG", "jpg": "JPEG", "png": "PNG"}
SEED = 1


@dataclass(frozen=True)
class Settings:
    """convert_imageset's flags. ``encode_type`` "" is that of each file; sizes 0 keep the picture's."""

    gray: bool = False
    shuffle: bool = False
    resize_height: int = 0
    resize_width: int = 0
    check_size: bool = False
    encoded: bool = False
    encode_type: str = ""

    def __post_init__(self) -> None:
        if self.encode_type and self.encode_type not in ENCODINGS:
            raise OptionError(
                f'encode_type "{self.encode_type}" is not known, allowed: {", ".join(ENCODINGS)}'
            )


def convert(
    root: str | os.PathLike[str],
    listing: str | os.PathLike[str],
    database: str | os.PathLike[str],
    settings: Settings,
    skipped: Skipped,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write the folder ``database``; returns how many images are in it. It is there whole or not at all.

    Lines of ``listing`` are ``path label``, paths from ``root`` on. ``ImageError`` when too many pictures are
    unreadable, none is readable, labels lack, or sizes differ under ``check_size``; ``OptionError`` when it
    exists; ``UnsupportedError`` without the package lmdb.
    """
    try:
        import lmdb
    except ImportError:
        raise UnsupportedError(
            'writing an lmdb needs the package lmdb: pip install "nvdla-sim[lmdb]"'
        ) from None
    target = Path(database)
    if target.exists():
        raise OptionError(f"{target} exists: remove it, or name another database")
    entries = list(picture_list(Path(listing), Path(root)).entries)
    unlabelled = [os.fspath(entry.path) for entry in entries if entry.label is None]
    if unlabelled:
        raise ImageError(
            f"list {os.fspath(listing)}: {len(unlabelled)} of {len(entries)} lines have no label, the first "
            f'is {unlabelled[0]}: each is "path label"'
        )
    if settings.shuffle:
        random.Random(SEED).shuffle(entries)
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as problem:
        raise OptionError(f"cannot make {target}: {problem.strerror}") from None
    try:
        written = 0
        with lmdb.open(str(folder), map_size=MAP_BYTES, sync=False) as environment:
            for place, datum in _data(entries, settings, skipped):
                name = os.fspath(entries[place].path).removeprefix(f"{os.fspath(root).rstrip('/')}/")
                with environment.begin(write=True) as transaction:
                    transaction.put(f"{place:08d}_{name}".encode(), datum.SerializeToString())
                written += 1
                progress(place + 1, len(entries))
        if not written:
            raise ImageError(f"{listing}: not one of {len(entries)} pictures can be read")
        (folder / "lock.mdb").unlink(missing_ok=True)
        folder.chmod(0o755)
        folder.rename(target)
    except lmdb.Error as problem:
        raise OptionError(f"cannot write {target}: {problem}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return written


def _data(entries: list[Entry], settings: Settings, skipped: Skipped) -> Iterator[tuple[int, Datum]]:
    """Place in the list and Datum of each readable picture."""
    size = None
    for place, entry in enumerate(entries):
        try:
            pixels = _pixels(entry.path, settings)
            datum = _encoded(entry.path, pixels, settings) if _is_encoded(settings) else _raw(pixels)
        except ImageError as problem:
            skipped.add(place, problem)
            continue
        if settings.check_size:
            if size not in (None, pixels.shape):
                raise ImageError(f"picture {entry.path} is {pixels.shape} (CHW), those before are {size}")
            size = pixels.shape
        assert entry.label is not None
        datum.label = entry.label
        yield place, datum


def _is_encoded(settings: Settings) -> bool:
    return settings.encoded or bool(settings.encode_type)


def _pixels(path: Path, settings: Settings) -> NDArray[np.uint8]:
    """Grey or colour, resized if both sizes are given."""
    pixels = with_channels(read_picture(path), 1 if settings.gray else 3)
    if settings.resize_height and settings.resize_width:
        pixels = resize(pixels, settings.resize_height, settings.resize_width)
    return pixels


def _raw(pixels: NDArray[np.uint8]) -> Datum:
    channels, height, width = pixels.shape
    return Datum(channels=channels, height=height, width=width, data=pixels.tobytes(), encoded=False)


def _encoded(path: Path, pixels: NDArray[np.uint8], settings: Settings) -> Datum:
    """The file as it is where nothing has to change, else encoded again."""
    from PIL import Image

    ending = path.suffix.lower().removeprefix(".")
    kind = settings.encode_type or ending
    if kind not in ENCODINGS:
        raise ImageError(f"picture {path} cannot be encoded as its ending says: give encode_type")
    unchanged = not (settings.resize_height and settings.resize_width) and not settings.gray
    if unchanged and ENCODINGS.get(ending) == ENCODINGS[kind]:
        return Datum(data=read_bytes(path, ImageError, "picture"), encoded=True)
    picture = Image.fromarray(pixels[0] if pixels.shape[0] == 1 else pixels[::-1].transpose(1, 2, 0))
    buffer = io.BytesIO()
    picture.save(buffer, ENCODINGS[kind], **({"quality": 95} if ENCODINGS[kind] == "JPEG" else {}))
    return Datum(data=buffer.getvalue(), encoded=True)
