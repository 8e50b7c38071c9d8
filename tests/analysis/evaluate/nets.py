"""The demo net and its ten digits as a data set, any number of times."""

from __future__ import annotations

from pathlib import Path

from nvdla_sim import demo
from nvdla_sim.analysis.evaluate.job import Job
from nvdla_sim.calib.preprocess import Preprocess


def digits_list(folder: Path, times: int = 1) -> Path:
    """A list of the digits with their labels; image number n shows the digit n % 10."""
    path = folder / "digits.txt"
    path.write_text("".join(f"{demo.picture(digit)} {digit}\n" for digit in range(10)) * times)
    return path


def digits_job(data: Path, **options: str) -> Job:
    options = {"table": str(demo.TABLE), "target": "nv_small", **options}
    return Job(
        prototxt=str(demo.PROTOTXT),
        caffemodel=str(demo.CAFFEMODEL),
        data=str(data),
        preprocess=Preprocess.of(normalize=255),
        **options,
    )
