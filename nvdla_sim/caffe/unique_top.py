"""The text of a prototxt with a top of its own for every layer ("unique top"): no layer works in place.

Only names of bottoms and tops change; everything else stays as it was written. A top that an in-place layer
writes again is named like that layer, as the importer names its tensor.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf import text_encoding

from nvdla_sim.caffe.net_state import layers_at_test
from nvdla_sim.caffe.prototxt import LAYER_FIELDS, TOKEN, read_prototxt
from nvdla_sim.errors import ModelError
from nvdla_sim.files import read_bytes


class Name(NamedTuple):
    """A string in the text: the layer's place among the layers, "bottom" or "top", and where it stands."""

    layer: int
    field: str
    start: int
    end: int


class Field(NamedTuple):
    """A field of the net itself: from its name to behind its value."""

    name: str
    start: int
    end: int


def unique_top(path: str | os.PathLike[str]) -> str:
    """The rewritten text; ``ModelError`` when the prototxt cannot be read."""
    prototxt = read_prototxt(path)
    text = read_bytes(path, ModelError, "prototxt").decode("utf-8")
    names, fields = scan(text)
    values: dict[tuple[int, str], list[str]] = {}
    at_test = {id(entry) for entry in layers_at_test(prototxt)}
    taken = {top for entry in prototxt.layers for top in entry.layer.top} | set(prototxt.net.input)
    now: dict[str, str] = {}  # blob -> what its last writer's top is called
    for place, entry in enumerate(prototxt.layers):
        layer = entry.layer
        bottoms = [now.get(bottom, bottom) for bottom in layer.bottom]
        tops = []
        for top in layer.top:
            if top in layer.bottom and id(entry) in at_test:
                now[top] = _free(layer.name, taken)
                taken.add(now[top])
            tops.append(now.get(top, top))
        values[place, "bottom"], values[place, "top"] = bottoms, tops
    layers = [field for field in fields if field.name in LAYER_FIELDS]
    if len(layers) != len(prototxt.layers) or len(names) != sum(map(len, values.values())):
        raise ModelError(f"prototxt {prototxt.path}: write each bottom and top as one string in quotes")
    pieces, done = [], 0
    used: dict[tuple[int, str], int] = {}
    for name in names:
        key = (name.layer, name.field)
        value = values[key][used.get(key, 0)]
        used[key] = used.get(key, 0) + 1
        quote = text[name.start]
        pieces += [text[done : name.start], quote, text_encoding.CEscape(value.encode(), as_utf8=True), quote]
        done = name.end
    return "".join([*pieces, text[done:]])


def scan(text: str) -> tuple[list[Name], list[Field]]:
    """The bottoms and tops of a readable prototxt, and the net's own fields, in the order of the text."""
    names: list[Name] = []
    fields: list[Field] = []
    depth = lists = layers = 0
    expects_value = False
    word, start = "", 0
    for token in _tokens(text):
        is_name = token.text[0] not in "{}<>[]:\"'" and not expects_value and not lists
        if is_name:
            word = token.text
            if depth == 0:
                start = token.start
                fields.append(Field(word, start, token.end))
        elif depth == 0:
            fields[-1] = Field(word, start, token.end)
        if token.text in "{<":
            layers += depth == 0 and word in LAYER_FIELDS
            depth += 1
        elif token.text in "}>":
            depth -= 1
            if depth == 0:
                fields[-1] = Field(fields[-1].name, start, token.end)
        elif token.text in "[]":
            lists += 1 if token.text == "[" else -1
        elif token.text[0] in "\"'" and depth == 1 and word in ("bottom", "top"):
            names.append(Name(layers - 1, word, token.start, token.end))
        expects_value = token.text == ":"
    return names, fields


class _Token(NamedTuple):
    text: str
    start: int
    end: int


def _tokens(text: str) -> Iterator[_Token]:
    for match in TOKEN.finditer(text):
        if not match.group().startswith("#"):
            yield _Token(match.group(), *match.span())


def _free(layer: str, taken: set[str]) -> str:
    """The layer's name, with a number where a blob is called so."""
    name, number = layer, 0
    while name in taken:
        number += 1
        name = f"{layer}:{number}"
    return name
