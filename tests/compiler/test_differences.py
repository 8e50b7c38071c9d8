"""The page of differences: it names the nets that the tests leave out, with figures that are measured."""

from __future__ import annotations

import pytest

from tests.compiler.differences import NETS, OTHER_OPERATIONS, left_out
from tests.compiler.nets import cases
from tests.compiler.recipe_nets import recipe_net
from tests.compiler.recipes import recipes
from tests.compiler.test_recipes import errors, our_errors
from tests.shared import TESTS, golden_set
from tools.accuracy_records import read

DOCS = TESTS.parent / "docs"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (DOCS / "differences.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith(("| NVIDIA", "| recipe"))
]
MEASURED = {tuple(row[2].split(", ")): (float(row[3]), float(row[4])) for row in ROWS if len(row) == 6}
RECIPES = {row[0]: (float(row[2]), float(row[3])) for row in ROWS if len(row) == 4}


def test_every_net_that_differs_is_named() -> None:
    named = {key[0] for key in MEASURED} | {net for row in ROWS for net in row[-1].split(", ")}
    named |= {line[2:].split(":")[0] for line in (DOCS / "differences.md").read_text().splitlines()}
    differing = {case.net for case in cases() if left_out(case) is not None}
    assert NETS.keys() | OTHER_OPERATIONS.keys() | differing <= named


@pytest.mark.parametrize("key", MEASURED, ids=", ".join)
def test_figures_of_nets(key: tuple[str, str, str]) -> None:
    """As ``docs/accuracy.tsv`` has them."""
    record = read(DOCS / "accuracy.tsv")[key]
    assert MEASURED[key] == pytest.approx((record.real, record.output), abs=1e-4)


@pytest.mark.parametrize("name", RECIPES)
def test_figures_of_recipes(name: str) -> None:
    golden_set("recipes")
    recipe = next(recipe for recipe in recipes() if recipe.name == name)
    theirs = errors(recipe_net(recipe), recipe.outputs).max()
    ours = our_errors(recipe_net(recipe, whole=True)).max()
    assert RECIPES[name] == pytest.approx((theirs, ours), abs=0.01)
