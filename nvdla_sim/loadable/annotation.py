"""What our compiler tells about its own loadables: scales and source layers, as JSON in a blob of its own.

Nothing references the blob, so NVIDIA's runtime carries it along and ignores it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nvdla_sim.errors import LoadableError
from nvdla_sim.loadable.entries import Blob
from nvdla_sim.loadable.enums import Interface
from nvdla_sim.loadable.loadable import Loadable

BLOB_NAME = "nvdla-sim.json"


@dataclass
class Annotation:
    """``scales``: real = scale * int8, by name of the network input or output.
    ``layers``: the source layer of an operation, by (task, index in its operation list)."""

    producer: str
    target: str
    scales: dict[str, float] = field(default_factory=dict)
    layers: dict[tuple[int, int], str] = field(default_factory=dict)

    @classmethod
    def of(cls, loadable: Loadable) -> Annotation | None:
        """The loadable's annotation, None where it has none; ``LoadableError`` when it cannot be read."""
        for blob in loadable.blobs:
            if blob.name == BLOB_NAME:
                try:
                    return _parsed(json.loads(blob.data.tobytes()))
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
                    what = f'{loadable.name}: blob "{BLOB_NAME}" is damaged'
                    raise LoadableError(f"{what}: {type(problem).__name__}: {problem}") from None
        return None

    def to_blob(self) -> Blob:
        document = {
            "producer": self.producer,
            "target": self.target,
            "tensors": {name: {"scale": scale} for name, scale in self.scales.items()},
            "operations": [
                {"task": task, "op": op, "layer": layer} for (task, op), layer in self.layers.items()
            ],
        }
        text = json.dumps(document, separators=(",", ":"))
        return Blob(BLOB_NAME, Interface.NONE, 0, (0, 0, 0), np.frombuffer(text.encode(), np.uint8))


def _parsed(document: Any) -> Annotation:
    annotation = Annotation(
        producer=_of(str, document["producer"]),
        target=_of(str, document["target"]),
        scales={name: float(tensor["scale"]) for name, tensor in document["tensors"].items()},
        layers={
            (_of(int, entry["task"]), _of(int, entry["op"])): _of(str, entry["layer"])
            for entry in document["operations"]
        },
    )
    for name, scale in annotation.scales.items():
        if not (math.isfinite(scale) and scale > 0):
            raise ValueError(f'scale {scale} of "{name}"')
    return annotation


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{value!r} where {kind.__name__} is expected")
    return value
