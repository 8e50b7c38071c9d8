#!/usr/bin/env python3
"""Write ``docs/supported-operators.md`` from the rules that the compiler itself enforces.

    python tools/make_supported_operators.py

To be run again whenever a rule changes: ``tests/tools`` compares the page with a fresh one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nvdla_sim.caffe.layers import BUILDERS
from nvdla_sim.compiler.constraints import COMMON_RULES, RULES, Rule, told
from nvdla_sim.files import write_atomically

PAGE = Path(__file__).resolve().parent.parent / "docs" / "supported-operators.md"

HEAD = """# Supported operators

Every layer type below compiles for every configuration, in both quantisation modes, within the limits told
here. `nvdla-lint --prototxt FILE --configtarget NAME` names the layers of a net that are beyond them, with
their lines.

This page is generated from the compiler's own rules by `tools/make_supported_operators.py`.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_limits("For all layers", COMMON_RULES), *_buffer(), *_operators()])


def _operators() -> Iterator[str]:
    free = []
    for operator, rules in sorted(RULES.items(), key=lambda item: item[0].kind):
        if rules:
            yield from _limits(operator.kind, rules)
        else:
            free.append(operator.kind)
    yield "## Without limits of their own"
    yield ""
    yield ", ".join(free) + "."
    yield ""
    others = sorted(set(BUILDERS) - {operator.kind for operator in RULES})
    yield "## Other names"
    yield ""
    yield "These layer types become one of those above, or are only another name of their input:"
    yield f"{', '.join(others)}."
    yield ""


def _limits(title: str, rules: tuple[Rule, ...]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield "| limit | beyond it, what works |"
    yield "|---|---|"
    for rule in rules:
        limit, nearest = told(rule)
        yield f"| {limit} | {nearest} |"
    yield ""


def _buffer() -> Iterator[str]:
    yield "A layer with weights is cut by rows, by kernels and by columns until its pieces fit the"
    yield "convolution buffer. It is refused only where a single kernel and the source under it do not fit;"
    yield "the message names the configurations where they do."
    yield ""


def main() -> None:
    write_atomically(PAGE, page().encode())
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
