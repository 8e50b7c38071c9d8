"""The golden recipes compiled by us: at least as near to float as what was made by hand for the real stack.

The error is a recipe's own: |output - ideal| in the recipe's output steps, where the ideal is the real value
computed from int8 inputs and weights.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.pipeline import compile_graph
from nvdla_sim.runtime.session import Runtime
from tests.compiler.recipe_net import RecipeNet
from tests.compiler.recipe_nets import NO_NET, recipe_net
from tests.compiler.recipes import Float, Recipe, recipes

CASES = list(recipes())
NETS = [recipe for recipe in CASES if recipe.key not in NO_NET]

PERFECT = 0.5  # steps: one rounding, and nothing else
# Steps that no compiler is to blame for: the ideals are recorded to 1/512, and multipliers, cut to 15 bits as
# NVIDIA's compiler cuts them so that the bytes agree, are off by 2^-14 of at most 128 steps.
UNSURE = 1 / 512 + 128 / 2**14
LUCK = 3 * 0.144  # three deviations of an error that is spread evenly over 0 .. 0.5


def errors(net: RecipeNet, outputs: list[Float]) -> Float:
    """Of all outputs, which are in the net's steps."""
    found = [
        np.abs(output.reshape(-1) - np.clip(ideal.reshape(-1), -128, 127))
        for output, ideal in zip(outputs, net.ideal(), strict=True)
    ]
    return np.concatenate(found)


def our_errors(net: RecipeNet) -> Float:
    config = net.recipe.config
    loadable = compile_graph(net.graph, Table(net.scales), config, net.mode)
    made = Runtime(loadable, config).run([net.inputs[name] for name in net.graph.inputs])
    steps = zip(made, net.output_scales, strict=True)
    return errors(net, [output.values * (float(output.scale or 1) / scale) for output, scale in steps])


@pytest.mark.parametrize("recipe", NETS, ids=lambda recipe: recipe.name)
def test_the_net_is_the_recipe(recipe: Recipe) -> None:
    """With the recipe's own weights it means what is recorded."""
    net = recipe_net(recipe)
    assert [ideal.size for ideal in net.ideal()] == [output.size for output in recipe.outputs]
    for ideal, recorded in zip(net.ideal(), recipe.ideals, strict=False):
        assert np.abs(np.clip(ideal, -128, 127).reshape(-1) - recorded.reshape(-1)).max() < UNSURE
    worst = recipe.case["worst_float_error_steps"]
    if worst is not None:
        assert errors(net, recipe.outputs).max() == pytest.approx(worst, abs=UNSURE)


@pytest.mark.parametrize("recipe", NETS, ids=lambda recipe: recipe.name)
def test_at_least_as_near_to_float(
    recipe: Recipe,
    count_goldens: Callable[[str, str, str, int, int], None],
    tell_figure: Callable[[str, str], None],
) -> None:
    theirs = errors(recipe_net(recipe), recipe.outputs)
    ours = our_errors(recipe_net(recipe, whole=True))
    worst = ours.max() <= max(theirs.max(), PERFECT) + UNSURE
    mean = ours.mean() <= theirs.mean() + UNSURE + LUCK / np.sqrt(ours.size)
    good = bool(worst and mean)
    count_goldens("recipes, compiled here", recipe.folder.name, recipe.config, int(good), int(not good))
    assert worst, f"{ours.max():.3f} steps, the recipe {theirs.max():.3f}"
    assert mean, f"{ours.mean():.3f} steps in the mean, the recipe {theirs.mean():.3f}"


def test_what_is_left_out_exists(tell_figure: Callable[[str, str], None]) -> None:
    if not CASES:
        pytest.skip("golden set recipes is not on this machine")
    assert NO_NET.keys() <= {recipe.key for recipe in CASES}
    for key, reason in NO_NET.items():
        count = sum(recipe.key == key for recipe in CASES)
        tell_figure("recipes that are no nets", f"{key} ({count}): {reason}")
