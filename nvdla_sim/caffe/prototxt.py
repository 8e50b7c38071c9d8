"""Prototxt text -> messages, with the line of every layer and every field that the schema does not know."""

from __future__ import annotations

import difflib
import os
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from google.protobuf import text_format

from nvdla_sim.caffe.caffe_pb2 import Layer, Net
from nvdla_sim.caffe.upgrade import upgraded
from nvdla_sim.errors import ModelError
from nvdla_sim.files import read_bytes

if TYPE_CHECKING:
    from google._upb import _message
    from google.protobuf import descriptor

    Descriptor = descriptor.Descriptor | _message.Descriptor

# The biggest published nets have half a megabyte and a few thousand layers.
MAX_BYTES = 4 << 20
MAX_LAYERS = 10_000
MAX_UNKNOWN = 1000
MAX_DEPTH = 32
MAX_TEXT = 300  # of an error message

TOKEN = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[\w./+-]+|[{}<>\[\]:]""")
LAYER_FIELDS = ("layer", "layers")


@dataclass(frozen=True)
class UnknownField:
    """A field that the schema does not know; ``nearest`` is a known name that it must be a typo of."""

    name: str
    line: int
    nearest: str | None

    def __str__(self) -> str:
        hint = f', did you mean "{self.nearest}"?' if self.nearest else ""
        return f'field "{self.name}" (line {self.line}) is not known{hint}'


@dataclass
class SourceLayer:
    """A layer in the new syntax, its line, and the fields of it that the schema does not know."""

    line: int
    unknown: list[UnknownField] = field(default_factory=list)
    layer: Layer = field(default_factory=Layer)


@dataclass(frozen=True)
class Prototxt:
    """``layers`` are all layers of the file, of every phase; ``unknown`` are fields outside of layers."""

    path: str
    net: Net
    layers: list[SourceLayer]
    unknown: list[UnknownField]


def read_prototxt(path: str | os.PathLike[str]) -> Prototxt:
    """Parse a prototxt; ``ModelError`` with the line for what is not the protobuf text format."""
    name = os.fspath(path)
    data = read_bytes(path, ModelError, "prototxt", MAX_BYTES)
    if b"\0" in data:
        raise ModelError(f"prototxt {name}: no text but binary data; is it a caffemodel?")
    text = data.decode("utf-8-sig", errors="replace")  # comments may be in any encoding
    sources, unknown = _scan(text, name)
    net = Net()
    try:
        text_format.Parse(text, net, allow_unknown_field=True)
    except text_format.ParseError as problem:
        raise ModelError(f"prototxt {name}: line {_error_line(problem)}") from None
    if net.layer and net.layers:
        raise ModelError(f'prototxt {name}: "layer" and "layers" (the old syntax) are mixed, use one of them')
    if any(layer.HasField("layer") for layer in net.layers):
        raise ModelError(
            f"prototxt {name}: layers {{ layer {{ ... }} }} is Caffe's oldest syntax: "
            "convert it with Caffe's upgrade_net_proto_text"
        )
    layers = list(net.layer) or [upgraded(layer) for layer in net.layers]
    if len(layers) != len(sources):
        raise ModelError(
            f"prototxt {name}: the lines of its layers cannot be told: write each as layer {{ ... }}"
        )
    for source, layer in zip(sources, layers, strict=True):
        source.layer = layer
    return Prototxt(name, net, sources, unknown)


def _error_line(problem: text_format.ParseError) -> str:
    """The parser's message is "line:column : text"."""
    line = problem.GetLine()
    text = re.sub(r"^\d+:\d+ : ", "", str(problem)).replace("nvdla_sim.caffe.", "")
    if len(text) > MAX_TEXT:  # the parser quotes the line
        text = f"{text[: MAX_TEXT // 2]} ... {text[-MAX_TEXT // 2 :]}"
    return f"{line}: {text}" if line else f"unknown: {text}"


def _scan(text: str, path: str) -> tuple[list[SourceLayer], list[UnknownField]]:
    """Walk the tokens beside the schema; the parser itself tells neither lines nor skipped fields."""
    starts = [match.end() for match in re.finditer("\n", text)]
    # what is to be gone on with when an open message ends
    scopes: list[tuple[Descriptor | None, str, int, int]] = []
    scope: Descriptor | None = Net.DESCRIPTOR
    lists = 0  # inside [ ... ] a word is a value, not a field's name
    expects_value = False
    name, line, count = "", 0, 0
    sources: list[SourceLayer] = []
    outside: list[UnknownField] = []
    for match in TOKEN.finditer(text):
        token = match.group()
        if token[0] == "#":
            continue
        if token in "{<":
            if not scopes and name in LAYER_FIELDS:
                sources.append(SourceLayer(line))
                if len(sources) > MAX_LAYERS:
                    raise ModelError(f"prototxt {path}: line {line}: more than {MAX_LAYERS} layers")
            scopes.append((scope, name, line, lists))
            if len(scopes) > MAX_DEPTH:
                raise ModelError(f"prototxt {path}: line {line}: more than {MAX_DEPTH} nested messages")
            scope, lists = _inner(scope, name), 0
        elif token in "}>":
            if scopes:
                scope, name, line, lists = scopes.pop()
        elif token in "[]":
            lists += 1 if token == "[" else -1
        elif token == ":":
            expects_value = True
            continue
        elif not (expects_value or lists > 0 or token[0] in "\"'"):
            name, line = token, bisect_right(starts, match.start()) + 1
            if scope is not None and scope.fields and name not in scope.fields_by_name:
                found = UnknownField(name, line, _typo(name, scope))
                (sources[-1].unknown if scopes and sources else outside).append(found)
                count += 1
                if count > MAX_UNKNOWN:
                    raise ModelError(f"prototxt {path}: line {line}: no Caffe net, hardly a field is known")
        expects_value = False
    return sources, outside


def _inner(scope: Descriptor | None, name: str) -> Descriptor | None:
    known = scope.fields_by_name.get(name) if scope is not None else None
    return known.message_type if known is not None else None


def _typo(name: str, scope: Descriptor) -> str | None:
    """A known field so like ``name`` that it must be meant; the ending of most fields does not count."""
    ending = "_param" if name.endswith("_param") else ""
    stems = [field.removesuffix(ending) for field in scope.fields_by_name if field.endswith(ending)]
    close = difflib.get_close_matches(name.removesuffix(ending), stems, n=1, cutoff=0.75)
    return close[0] + ending if close else None
