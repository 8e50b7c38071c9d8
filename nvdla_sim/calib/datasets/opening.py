"""A path -> the data set that is there, of whichever kind."""

from __future__ import annotations

import os
from pathlib import Path

from nvdla_sim.calib.datasets.arrays import npy_file, npz_file
from nvdla_sim.calib.datasets.batch_files import BatchFiles, is_batch_folder
from nvdla_sim.calib.datasets.dataset import Dataset
from nvdla_sim.calib.datasets.datum_lmdb import FILE, DatumLmdb
from nvdla_sim.calib.datasets.pictures import (
    ENDINGS,
    Entry,
    Pictures,
    is_picture,
    picture_folder,
    picture_list,
)
from nvdla_sim.errors import ImageError


def open_dataset(path: str | os.PathLike[str], root: str | os.PathLike[str] | None = None) -> Dataset:
    """Pictures of a folder, class folders, a list of paths, an lmdb, batch files, .npy, .npz, or one picture.

    ``root``: where a list's relative paths start (default: the list's own folder). ``ImageError`` when there
    is nothing, or what is there is damaged.
    """
    place = Path(path)
    if not place.exists():
        raise ImageError(f"images {place}: No such file or folder")
    try:
        dataset = _folder(place) if place.is_dir() else _file(place, Path(root) if root else None)
    except OSError as problem:
        raise ImageError(f"images {place}: {problem.strerror or problem}") from None
    if dataset is None or not len(dataset):
        raise ImageError(
            f"images {place}: there are none. Known are pictures ({', '.join(ENDINGS)}), folders of classes "
            f"with pictures, lmdb ({FILE}), batch files (batch0, batch1, ...), .npy and .npz, lists of paths"
        )
    return dataset


def _folder(folder: Path) -> Dataset | None:
    if (folder / FILE).exists():
        return DatumLmdb(folder)
    if is_batch_folder(folder):
        return BatchFiles(folder)
    return picture_folder(folder)


def _file(path: Path, root: Path | None) -> Dataset:
    ending = path.suffix.lower()
    if ending == ".npy":
        return npy_file(path)
    if ending == ".npz":
        return npz_file(path)
    if path.name == FILE:
        return DatumLmdb(path.parent)
    if is_picture(path):
        return Pictures(f"picture {path}", [Entry(path, None)])
    return picture_list(path, root)
