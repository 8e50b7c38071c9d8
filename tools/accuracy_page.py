"""``docs/accuracy.md``: what ``tools/accuracy.py`` has measured."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tools.accuracy_records import BELOW_IDEAL, BELOW_REAL, LARGER, ZOO, Record

HEAD = """# Accuracy

How near the int8 values that the chip computes from our loadables come to the float net, on three hardware
configurations in both quantisation modes. Written by `tools/accuracy.py`; every figure is in
[accuracy.tsv](accuracy.tsv).

Two kinds of nets are measured: well-known ones at full size with made-up weights (`tools/zoo.py` writes
them), and the small ones of the golden loadables, of which the real flow's outputs are recorded: those of
NVIDIA's compiler, runtime and chip model.

All figures are cosines with a float run of the net (1: equal), taken on the tensor before a final Softmax,
which would hide most differences; of several outputs the worst counts. Those of the zoo are means over 16
pictures that the calibration table was not made from: in a deep net with made-up weights rounding moves the
cosine of a single picture by up to 0.01, up or down, on the chip and in the ideal run alike. Those of the
golden nets are of one input.

| column | what is compared with the float run |
|---|---|
| chip | what our loadable computes |
| ideal | a float run with tensors and weights rounded to int8, at the scales that our compiler assigned |
| table | the same at the scales of the calibration table as they are |
| output | the network's own output, Softmax included, as our loadable computes it |
| real | the same of NVIDIA's flow, where it is recorded |

The ideal run shows what is lost to the scales alone; chip - ideal is what the chip's integers lose besides.
Where ideal itself is low the calibration table does not suit the net (bn_mavg0: its values reach 96,000, its
recorded table 5.4).
"""

# Larger than the real compiler's for a good reason.
LARGER_BECAUSE = {
    "conv_softmax_conv": "the real compiler takes the softmax of one of the 256 pixels, and its loadable "
    "never ends; ours has an operation of the runtime's CPU emulator for each pixel, 536 bytes of descriptors"
}

_SECTION = re.compile(r" \(section [\d.]+\)")  # of notes that a reader of the page does not have


@dataclass(frozen=True)
class Equality:
    """Recorded outputs of the real flow that ours has byte for byte, by net, of how many."""

    equal: int
    total: int
    loadables: int
    left_out: dict[str, list[str]]  # reason -> nets


@dataclass(frozen=True)
class Cost:
    """What ``nvdla-compile`` takes for one net: time passed, processor time in seconds, sizes in bytes."""

    net: str
    target: str
    seconds: float
    processor: float
    peak: int
    loadable: int


def page(records: Sequence[Record], equality: Equality, costs: Iterable[Cost]) -> str:
    """The whole page."""
    return "\n".join(
        [
            HEAD,
            *_zoo(records),
            *_verdicts(records),
            *_refused(records),
            *_equality(equality),
            *_sizes(records),
            *_costs(costs),
            *_table(records),
        ]
    )


def _zoo(records: Sequence[Record]) -> Iterator[str]:
    """One row for each net and mode: the configuration where chip is least near to ideal, or the largest."""
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record.net.startswith(ZOO):
            groups[record.net.removeprefix(ZOO), record.mode].append(record)
    yield "## Well-known nets"
    yield ""
    yield (
        "Of each net the configuration with the lowest chip - ideal, of those alike the one with the largest "
        "loadable; the others are in the last table."
    )
    yield ""
    yield "| net | mode | chip | ideal | chip - ideal | table | configuration | loadable, MB |"
    yield "|---|---|---|---|---|---|---|---|"
    for (net, mode), group in sorted(groups.items()):
        refused = [record.target for record in group if record.refused is not None]
        compiled = [record for record in group if record.refused is None]
        if compiled:
            worst = min(compiled, key=lambda record: (_over_ideal(record), -(record.size or 0)))
            where = "all alike" if len({_over_ideal(r) for r in group}) == 1 else worst.target
            numbers = f"{_number(worst.chip)} | {_number(worst.ideal)} | {_over_ideal(worst):+.4f}"
            size = f"{(worst.size or 0) / 1e6:.1f}"
            yield f"| {net} | {mode} | {numbers} | {_number(worst.own)} | {where} | {size} |"
        if refused:
            yield f"| {net} | {mode} | refused on {', '.join(refused)} | | | | | |"
    yield ""


def _verdicts(records: Sequence[Record]) -> Iterator[str]:
    compiled = [record for record in records if record.refused is None]
    faults: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in compiled:
        for fault in record.faults:
            faults[fault][record.net].append(record)
    over = [r.output - r.real for r in compiled if r.output is not None and r.real is not None]
    nets = len({record.net for record in compiled})
    yield "## Verdicts"
    yield ""
    yield f"{len(compiled)} measurements of {nets} nets."
    yield ""
    below = {fault: sum(map(len, by_net.values())) for fault, by_net in faults.items()}
    right = len(compiled) - below.get("below ideal", 0)
    lowest = min(map(_over_ideal, compiled), default=0.0)
    yield f"- chip at most {BELOW_IDEAL} below ideal: {right} of {len(compiled)}, the lowest {lowest:+.4f}"
    right = len(over) - below.get("below the real compiler's", 0)
    lowest = min(over, default=0.0)
    yield f"- output at most {BELOW_REAL} below real: {right} of {len(over)}, the lowest {lowest:+.4f}"
    yield f"- output above real by more than 0.01: {sum(by > 0.01 for by in over)} of {len(over)}"
    for fault, by_net in faults.items():
        for net, own in by_net.items():
            where = ", ".join(f"{record.target} {record.mode}" for record in own)
            if len(own) == sum(record.net == net for record in records):
                where = "every configuration"
            reason = f" ({LARGER_BECAUSE[net]})" if fault == "too large" and net in LARGER_BECAUSE else ""
            yield f"- **{fault}**: {net} on {where}{reason}"
    yield ""


def _refused(records: Sequence[Record]) -> Iterator[str]:
    refused = [record for record in records if record.refused is not None]
    yield "## Refused"
    yield ""
    yield (
        "\n".join(f"- {' '.join(r.key)}: {r.refused}" for r in refused)
        or "No net is refused by any configuration."
    )
    yield ""


def _equality(equality: Equality) -> Iterator[str]:
    yield "## The same bytes as the real flow"
    yield ""
    yield (
        f"{equality.equal} of {equality.total} recorded outputs of {equality.loadables} loadables, compiled "
        "here, are equal byte for byte. Not compared, because the real compiler has a defect there or ours "
        "differs on purpose:"
    )
    yield ""
    for reason, nets in equality.left_out.items():
        yield f"- {', '.join(nets)}: {_SECTION.sub('', reason)}"
    yield ""


def _sizes(records: Sequence[Record]) -> Iterator[str]:
    pairs = [(r.size, r.real_size) for r in records if r.size is not None and r.real_size is not None]
    larger = sum("too large" in record.faults for record in records)
    ours, real = (sum(sizes) for sizes in zip(*pairs, strict=True)) if pairs else (0, 0)
    factor, slack = LARGER
    yield "## Sizes of loadables"
    yield ""
    yield (
        f"{len(pairs)} loadables that the real compiler makes, too: ours have {ours:,} bytes together, the "
        f"real ones {real:,}. Larger by more than {100 * (factor - 1):.0f} % and {slack} bytes: {larger}."
    )
    yield ""


def _costs(costs: Iterable[Cost]) -> Iterator[str]:
    yield "## Compiling"
    yield ""
    yield "`nvdla-compile` in a process of its own, reading the files and writing the loadable included."
    yield ""
    yield "| net | configuration | seconds | processor seconds | peak memory, MB | loadable, MB |"
    yield "|---|---|---|---|---|---|"
    for cost in costs:
        sizes = f"{cost.peak / 1e6:.0f} | {cost.loadable / 1e6:.1f}"
        yield f"| {cost.net} | {cost.target} | {cost.seconds:.1f} | {cost.processor:.1f} | {sizes} |"
    yield ""


def _table(records: Sequence[Record]) -> Iterator[str]:
    yield "## Every measurement"
    yield ""
    yield "| net | configuration | mode | chip | ideal | table | output | real |"
    yield "|---|---|---|---|---|---|---|---|"
    for r in sorted(records, key=lambda record: record.key):
        if r.refused is None:
            numbers = (_number(value) for value in (r.chip, r.ideal, r.own, r.output, r.real))
            yield f"| {r.net} | {r.target} | {r.mode} | {' | '.join(numbers)} |"
    yield ""


def _over_ideal(record: Record) -> float:
    """How much nearer to float than the ideal run the chip is."""
    return 0.0 if record.chip is None or record.ideal is None else record.chip - record.ideal


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
