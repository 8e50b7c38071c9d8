"""The report's three plots."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nvdla_sim.analysis.compare.comparison import TensorReport
from nvdla_sim.analysis.svg import Plot
from nvdla_sim.graph.operator import Array

OWN, CHIP, FLOAT, LIMIT = "#00798c", "#d1495b", "#8d99ae", "#2b2d42"
FAKE = {"fake16": "#66a182", "fake8": "#edae49"}
WORDS = {"fake16": "16 bits fake-quantised", "fake8": "8 bits fake-quantised", "chip": "int8 chip"}
BINS = 128
DOTS = 700
SHOWN_DB = (0.0, 100.0)
LETTER = 4.8  # pixels that a letter of a turned name takes downwards


def errors(reports: Sequence[TensorReport], labels: Sequence[str]) -> str:
    """Signal to noise of every tensor: each layer's own, and accumulated in each version."""
    width = max(760, 90 + 22 * len(reports))
    below = 24 + round(LETTER * max(map(len, labels)))
    plot = Plot((width, 280 + below), (-0.5, len(reports) - 0.5), SHOWN_DB, below)
    plot.grid("", "SNR, dB (more is better)", x_ticks=False)
    plot.names(labels)
    for version in reports[0].accumulated:
        points = [(float(at), r.accumulated[version].snr_db) for at, r in enumerate(reports)]
        colour = FAKE.get(version, CHIP)
        # the chip's line mostly lies on that of 8 bits
        plot.line(points, colour, WORDS[version], width=5 if version == "fake8" else 1.5)
        plot.dots(points, colour, size=6, opacity=1)
    own = [(float(at), report.own.snr_db) for at, report in enumerate(reports)]
    plot.line(own, OWN, "the layer's own")
    plot.dots(own, OWN, size=6, opacity=1)
    return plot.svg("signal-to-noise ratio of each tensor")


def histogram(real: Array, chip: Array, scale: float) -> str:
    """How often which value occurs in the float run and on the chip, with the ends of the int8 range."""
    low, high = float(min(real.min(), chip.min(), 0)), float(max(real.max(), chip.max(), 0))
    # bins of whole int8 steps, centred on them: otherwise int8 values and bins would beat
    step = scale * max(1, math.ceil((high - low) / scale / BINS))
    first, last = math.floor(low / step + 0.5), math.floor(high / step + 0.5)
    edges = (np.arange(first - 1, last + 3) - 0.5) * step
    counts, chip_counts = (np.log10(1 + np.histogram(x, edges)[0]) for x in (real, chip))
    plot = Plot(
        (470, 260), (edges[0], edges[-1]), (0, max(float(counts.max()), float(chip_counts.max())) * 1.08)
    )
    plot.grid("value", "log10(1 + count)")
    plot.bars(edges.tolist(), counts.tolist(), FLOAT, "float")
    centres = (edges[:-1] + edges[1:]) / 2
    plot.line(list(zip(centres.tolist(), chip_counts.tolist(), strict=True)), CHIP, WORDS["chip"])
    plot.threshold(-128 * scale, LIMIT)
    plot.threshold(127 * scale, LIMIT, f"ends of int8 {-128 * scale:.3g}, {127 * scale:.3g}")
    return plot.svg("histogram of the float and the int8 values")


def scatter(real: Array, chip: Array, scale: float) -> str:
    """The chip's value over the float run's, for some of the elements; the extremes are always among them."""
    x, y = real.reshape(-1), chip.reshape(-1)
    chosen = np.unique(
        np.concatenate(
            [np.linspace(0, x.size - 1, min(x.size, DOTS)).astype(np.int64), [x.argmin(), x.argmax()]]
        )
    )
    low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
    room = (high - low) * 0.04
    plot = Plot((340, 260), (low - room, high + room), (low - room, high + room))
    plot.grid("float", "int8 chip")
    plot.diagonal(FLOAT)
    plot.dots(zip(x[chosen].tolist(), y[chosen].tolist(), strict=True), CHIP)
    plot.threshold(-128 * scale, LIMIT)
    plot.threshold(127 * scale, LIMIT)
    return plot.svg("int8 values over float values")
