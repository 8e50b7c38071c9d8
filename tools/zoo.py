#!/usr/bin/env python3
"""Write well-known nets with made-up weights: prototxt, caffemodel and calibration table.

    python tools/zoo.py DIR [--net NAME ...] [--reduced]

gives ``DIR/<net>/deploy.prototxt``, ``net.caffemodel``, ``calib.json`` of every net, or of those that are
named. ``--reduced``: with fewer channels, layers and pixels, small enough for tests.

The weights are He-initialised and batch-norm statistics are taken from data, so that activations stay alive
through the whole net; the table holds the largest values of a float run over pictures that look natural to a
net (their amplitudes fall with the frequency). The same files each time.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from nvdla_sim.caffe.exporter import save_caffe
from tools.zoo_nets import NETS


def write_net(name: str, folder: Path, reduced: bool) -> None:
    """The three files of one net."""
    graph, table = NETS[name](reduced).finished()
    folder.mkdir(parents=True, exist_ok=True)
    save_caffe(graph, folder / "deploy.prototxt", folder / "net.caffemodel")
    table.save(folder / "calib.json")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument("--net", action="append", choices=NETS, help="one of the nets; may be repeated")
    parser.add_argument("--reduced", action="store_true")
    options = parser.parse_args()
    for name in options.net or NETS:
        began = time.monotonic()
        write_net(name, options.folder / name, options.reduced)
        size = (options.folder / name / "net.caffemodel").stat().st_size
        print(f"{name}: {size / 2**20:.1f} MB in {time.monotonic() - began:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
