#!/usr/bin/env python3
"""Choose a few golden programs of every engine and configuration for the repository.

    python tools/select_goldens.py ../shared/goldens/random

Writes tests/goldens/random/<config>.npz: two cases of each engine, neither the smallest, which are trivial,
nor the largest.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

QUANTILES = (0.25, 0.6)


def main(folder: Path) -> None:
    from nvdla_sim.files import write_atomically
    from tools.golden_programs import Case, load, pack

    chosen: dict[str, list[Case]] = defaultdict(list)
    for path in sorted(folder.glob("*.npz")):
        cases = sorted(load(path), key=lambda c: sum(r.data.size for r in (*c.inputs, *c.outputs)))
        if cases[0].engine.startswith("dc_big"):
            continue
        chosen[cases[0].config.name] += [cases[int(q * (len(cases) - 1))] for q in QUANTILES]
    target = REPOSITORY / "tests" / "goldens" / "random"
    target.mkdir(parents=True, exist_ok=True)
    for config, cases in chosen.items():
        write_atomically(target / f"{config}.npz", pack(cases))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
