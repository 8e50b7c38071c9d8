"""``docs/accuracy.md``: what ``tools/accuracy.py`` has measured."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tools.accuracy_records import BELOW_IDEAL, BELOW_REAL, LARGER, Record

HEAD = """# Accuracy

Written by `tools/accuracy.py` from `docs/accuracy.tsv`, which has every figure.

Each net is compiled and run on one input, and the tensor before its final Softmax (of several outputs the
worst) is compared with a float run by their cosine:

- **chip**: what our loadable computes;
- **ideal**: a float run whose tensors and weights are rounded to int8 with the scales that our compiler
  assigned, the best that these scales allow;
- **table**: the same with the calibration table's own scales;
- **output, real**: the network's output itself, Softmax included: ours, and that of NVIDIA's compiler,
  runtime and chip model where it is recorded.
"""


@dataclass(frozen=True)
class Equality:
    """Recorded outputs of the real flow that ours has byte for byte, by net, of how many."""

    equal: int
    total: int
    loadables: int
    left_out: dict[str, list[str]]  # reason -> nets


@dataclass(frozen=True)
class Cost:
    """What compiling one net takes."""

    net: str
    target: str
    seconds: float
    peak: int  # bytes


def page(records: Sequence[Record], equality: Equality | None, costs: Iterable[Cost]) -> str:
    """The whole page; ``equality`` None: the recordings are not at hand."""
    parts = [HEAD, *_verdicts(records), *_refused(records)]
    if equality is not None:
        parts += _equality(equality)
    return "\n".join([*parts, *_sizes(records), *_costs(costs), *_table(records)])


def _verdicts(records: Sequence[Record]) -> Iterator[str]:
    compiled = [record for record in records if record.refused is None]
    faults = Counter(fault for record in compiled for fault in record.faults)
    compared = sum(record.real is not None for record in compiled)
    nets = len({record.net for record in compiled})
    yield "## Verdicts"
    yield ""
    yield f"{len(compiled)} measurements of {nets} nets, on three configurations in both quantisation modes."
    yield ""
    ideal, real = faults["below ideal"], faults["below the real compiler's"]
    yield f"- chip at most {BELOW_IDEAL} below ideal: {len(compiled) - ideal} of {len(compiled)}"
    yield f"- output at most {BELOW_REAL} below the real compiler's: {compared - real} of {compared}"
    better = sum(r.output > r.real + 0.01 for r in compiled if r.output is not None and r.real is not None)
    yield f"- output better than the real compiler's by more than 0.01: {better} of {compared}"
    yield ""
    for record in compiled:
        for fault in record.faults:
            yield f"- {' '.join(record.key)}: **{fault}**"
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
        yield f"- {', '.join(nets)}: {reason}"
    yield ""


def _sizes(records: Sequence[Record]) -> Iterator[str]:
    pairs = [(r.size, r.real_size) for r in records if r.size is not None and r.real_size is not None]
    if not pairs:
        return
    larger = sum("too large" in record.faults for record in records)
    ours, real = (sum(sizes) for sizes in zip(*pairs, strict=True))
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
    yield "| net | configuration | seconds | peak memory, MB |"
    yield "|---|---|---|---|"
    for cost in costs:
        yield f"| {cost.net} | {cost.target} | {cost.seconds:.1f} | {cost.peak / 1e6:.0f} |"
    yield ""


def _table(records: Sequence[Record]) -> Iterator[str]:
    by_net: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.refused is None:
            by_net[record.net].append(record)
    yield "## Every measurement"
    yield ""
    yield "| net | configuration | mode | chip | ideal | table | output | real |"
    yield "|---|---|---|---|---|---|---|---|"
    for net, own in sorted(by_net.items()):
        for r in own:
            numbers = (_number(value) for value in (r.chip, r.ideal, r.own, r.output, r.real))
            yield f"| {net} | {r.target} | {r.mode} | {' | '.join(numbers)} |"
    yield ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
