"""The golden recipes as nets: each case's operation in float, with weights taken out of its loadable.

A recipe is a loadable made by hand for one operation, with its inputs, what the real stack made of them, and
the ideal real outputs. Stated as a net the same operation can be compiled by us.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.config import config_named
from nvdla_sim.hw.formats import unpack_weights
from nvdla_sim.loadable.enums import AluType, PixelFormat, SdpAct
from nvdla_sim.loadable.loadable import Loadable
from tests.compiler.decoded import Operation, operations
from tests.shared import golden_paths

Float = NDArray[np.float64]
PIXEL = 4  # components


class Affine(NamedTuple):
    """``gain[k] * sum + offset[k]``"""

    gain: Float
    offset: Float

    @classmethod
    def factor(cls, factor: float, channels: int) -> Affine:
        """The same for all channels, without an offset."""
        return cls(np.full(channels, factor), np.zeros(channels))


@dataclass(frozen=True)
class Recipe:
    """One case: ``variant`` of the recipe ``folder`` for one configuration."""

    folder: Path
    variant: str
    config: str
    case: dict[str, Any]

    @property
    def key(self) -> str:
        return f"{self.folder.name}/{self.variant}"

    @property
    def name(self) -> str:
        return f"{self.key}.{self.config}"

    @property
    def inputs(self) -> list[NDArray[np.int8]]:
        return [np.load(self.folder / name) for name in self.case["inputs"]]

    @property
    def outputs(self) -> list[NDArray[np.int64]]:
        """What the real stack made of the inputs, CHW."""
        texts = [(self.folder / name).read_text().split() for name in self.case["outputs"]]
        return [
            np.array(text, np.int64).reshape(dims)
            for text, dims in zip(texts, self.case["output_dims"], strict=True)
        ]

    @property
    def ideals(self) -> list[Float]:
        """The real outputs in output steps, to 1/512; none where no real meaning is recorded."""
        return [np.load(self.folder / name) / 256 for name in self.case["ideal_x256"]]

    def scale(self, name: str, default: float = 1.0) -> float:
        """A real scale or attribute of the case."""
        return float((self.case["scales"] or {}).get(name, default))

    @cached_property
    def operations(self) -> list[Operation]:
        return list(operations(Loadable.load(self.folder / self.case["loadable"])))

    def of_kind(self, kind: str) -> list[Operation]:
        return [op for op in self.operations if op["kind"] == kind]

    def weights(self, index: int) -> NDArray[np.int8]:
        """KCRS of a convolution, in the order of operations; C is 4 where it reads pixels."""
        config, op = config_named(self.config), self.of_kind("CONV")[index]
        rows, columns = op["kernel_height_csc"], op["kernel_width_csc"]
        shape = (op["dst"]["channel"], op["kernel_channel_csc"], rows, columns)
        step = max(1, 2 * op["post_extension"])
        raw = np.frombuffer(op["weights"], np.uint8)
        weights = unpack_weights(raw, shape, config.atomic_c, config.atomic_k, step)
        if op["data_format"] == PixelFormat.FEATURE:
            return weights
        # of a picture the pixels of a kernel's row are channels
        return weights[..., 0].reshape(shape[0], -1, PIXEL, rows).transpose(0, 2, 3, 1)

    def affine(self, index: int, with_output: bool = True) -> Affine:
        """What the SDP of the convolution ``index`` makes of its sums before activations, in output steps.

        ``with_output`` False: without the output converter. Multipliers were cut to whole numbers: half a
        step is put back.
        """
        at = [i for i, op in enumerate(self.operations) if op["kind"] == "CONV"][index] + 1
        sdp, channels = self.operations[at], self.operations[at]["dst"]["channel"]
        gain, offset = np.ones(channels), np.zeros(channels)
        for stage in (sdp["x1"], sdp["x2"]):
            if stage is None or "operand" not in stage or stage["act"] == SdpAct.PRELU:
                continue
            if stage.get("alu", AluType.SUM) != AluType.SUM:
                continue
            operand = np.array(stage["operand"], np.float64)
            parts = operand.reshape(-1, 2).T if stage["type"] == "BOTH" else [operand]
            if stage["type"] in ("ADD", "BOTH"):
                offset = offset + parts[0] * 2.0 ** stage["shift"]
            if stage["type"] in ("MUL", "BOTH"):
                factor = _uncut(parts[-1]) * 2.0 ** -stage["truncate"]
                gain, offset = gain * factor, offset * factor
        if with_output:
            scale, truncate, _ = sdp["out"]
            out = _uncut(np.array([scale], np.float64)) * 2.0**-truncate
            gain, offset = gain * out, offset * out
        return Affine(gain, offset)

    def joined_weights(self, count: int) -> NDArray[np.int8]:
        """Of the first ``count`` convolutions, kernels behind each other."""
        return np.concatenate([self.weights(index) for index in range(count)])

    def joined_affine(self, count: int) -> Affine:
        parts = [self.affine(index) for index in range(count)]
        return Affine(*(np.concatenate(each) for each in zip(*parts, strict=True)))

    def joined_lanes(self, count: int) -> list[int]:
        """Where their channels are in the tensor that they write: each convolution begins a surface."""
        atom, start, lanes = config_named(self.config).atom, 0, []
        for op in self.of_kind("CONV")[:count]:
            channels = op["dst"]["channel"]
            lanes += range(start, start + channels)
            start += -(-channels // atom) * atom
        return lanes

    @property
    def has_relu(self) -> bool:
        """Whether the first SDP operation ends with one."""
        stages = (self.of_kind("SDP")[0][name] for name in ("x1", "x2"))
        return any(stage is not None and stage["act"] == SdpAct.RELU for stage in stages)


def _uncut(multipliers: Float) -> Float:
    """Powers of two are exact, others were cut."""
    exact = np.log2(np.maximum(np.abs(multipliers), 1)) % 1 == 0
    return np.where(exact, multipliers, multipliers + 0.5 * np.sign(multipliers))


def recipes() -> Iterator[Recipe]:
    """Every case of every recipe."""
    for path in golden_paths("recipes/*/case.json"):
        for name, case in json.loads(path.read_text())["cases"].items():
            yield Recipe(path.parent, name.rsplit(".", 1)[0], case["config"], case)
