#!/usr/bin/env python3
"""Compile the demo net for every configuration and quantisation mode into ``loadables/``.

    python tools/make_loadables.py

To be run again whenever the compiler's output changes: ``tests/demo`` compares the files with a fresh
compile.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nvdla_sim as nv
from nvdla_sim import demo

LOADABLES = Path(__file__).resolve().parent.parent / "loadables"
TARGETS = ("nv_small", "nv_large", "nv_full")
MODES = ("per-kernel", "per-filter")


def ready_made() -> Iterator[tuple[Path, nv.Loadable]]:
    """Each file under ``loadables/`` with what belongs into it."""
    for target in TARGETS:
        for mode in MODES:
            loadable = nv.compile(
                demo.PROTOTXT, demo.CAFFEMODEL, calibration=demo.TABLE, target=target, quantization=mode
            )
            yield LOADABLES / f"digits.{target}.{mode}.nvdla", loadable


def main() -> None:
    LOADABLES.mkdir(exist_ok=True)
    for path, loadable in ready_made():
        loadable.save(path)
        print(f"{path.relative_to(LOADABLES.parent)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
