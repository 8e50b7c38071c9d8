"""Reading the text: lines, unknown fields, syntax errors, hostile files."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.caffe.prototxt import MAX_BYTES, MAX_DEPTH, MAX_LAYERS, read_prototxt
from nvdla_sim.errors import ModelError
from tests.caffe.nets import write_prototxt


def read(tmp_path, text):
    return read_prototxt(write_prototxt(tmp_path, text))


def test_every_layer_has_its_line(tmp_path):
    source = read(
        tmp_path,
        """name: "n" # layer { in a comment
input: "layer {"
layer { name: 'a # "no comment' type: "ReLU" }
layer {
  name: "b \\" layer {"
  type: "Pooling"
  pooling_param { pool: AVE kernel_size: 3 }
} layer <
  name: "c";
  type: "Convolution",
  convolution_param: { kernel_size: [3, 5] pad: 1 }
>
layer: [
  { name: "d" },
  {
    name: "e"
  }
]
layer { name: "f" }
""",
    )
    assert [(entry.layer.name, entry.line) for entry in source.layers] == [
        ('a # "no comment', 3),
        ('b " layer {', 4),
        ("c", 8),
        ("d", 13),
        ("e", 13),
        ("f", 19),
    ]
    assert list(source.layers[2].layer.convolution_param.kernel_size) == [3, 5]
    assert source.unknown == []
    assert all(entry.unknown == [] for entry in source.layers)


def test_unknown_fields_are_told_with_line_and_near_name(tmp_path):
    source = read(
        tmp_path,
        """nmae: "n"
layer { name: "a"
  convolution_param {
    kernal_size: 3
    weight_filler { type: "xavier" whatever: 1 }
  }
  param { lr_mult: 1 own: 2 }
  yolo_param { kernal_size: 3 }
}
layer: [{ naem: "b" }, { topp: "c" }]
vendor: "x"
""",
    )
    assert [str(field) for field in source.unknown] == [
        'field "nmae" (line 1) is not known, did you mean "name"?',
        'field "vendor" (line 11) is not known',
    ]
    assert [(field.name, field.line, field.nearest) for field in source.layers[0].unknown] == [
        ("kernal_size", 4, "kernel_size"),
        ("yolo_param", 8, None),
    ]
    assert [[field.nearest for field in entry.unknown] for entry in source.layers[1:]] == [["name"], ["top"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name: "n"\nlayer {\n  name "a"\n}\n', "line 3: .*Expected"),
        ('layer {\n name: "a"\n', "line .*"),
        ('layer {\n name: "a"\n}}\n', "line 3: "),
        (
            "layer {\n  pooling_param { pool: MEAN }\n}\n",
            'line 2: .*Enum type "PoolingParameter.Method" has no value',
        ),
        ("layer {\n  convolution_param { num_output: x }\n}\n", "line 2: .*Couldn't parse integer: x"),
        (
            "layer {\n  convolution_param { num_output: 99999999999999999999 }\n}\n",
            "line 2: .*Value out of range",
        ),
        ('name: "a"\nname: "b"\n', 'line 2: .*should not have multiple "name" fields'),
        ("layer { type: CONVOLUTION }", "line 1: .*Expected string"),
        ("layers { type: PRELU }", 'line 1: .*Enum type "LayerV1.Type" has no value named PRELU'),
        ('layer { name: "a" }\nlayers { name: "b" }', '"layer" and "layers" .* are mixed'),
        (
            'layers { layer { name: "a" } }',
            "layers .* oldest syntax: convert it with Caffe's upgrade_net_proto_text",
        ),
    ],
)
def test_syntax_errors_tell_the_line(tmp_path, text, message):
    with pytest.raises(ModelError, match=rf"prototxt .*net\.prototxt: {message}"):
        read(tmp_path, text)


def test_a_long_line_is_not_quoted_whole(tmp_path):
    with pytest.raises(ModelError, match="Expected identifier") as caught:
        read(tmp_path, "[" * 100_000)
    assert len(str(caught.value)) < 1000


def test_a_file_that_is_not_text(tmp_path):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(b"\x0a\x03net\xa2\x06\x00\xfe")
    with pytest.raises(ModelError, match=r"no text but binary data; is it a caffemodel\?"):
        read_prototxt(path)
    with pytest.raises(ModelError, match=r"prototxt .*absent: No such file or directory"):
        read_prototxt(tmp_path / "absent")


def test_comments_in_any_encoding(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_bytes(b"\xef\xbb\xbfname: 'n' # \xd6\xd0\xce\xc4\nlayer { name: 'a' }")
    source = read_prototxt(path)
    assert (source.net.name, source.layers[0].layer.name, source.layers[0].line) == ("n", "a", 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#" * (MAX_BYTES + 1), f"{MAX_BYTES + 1} bytes, allowed: up to {MAX_BYTES}"),
        ("layer {}\n" * (MAX_LAYERS + 1), f"line {MAX_LAYERS + 1}: more than {MAX_LAYERS} layers"),
        ("layer { a { " + "b { " * 100_000, f"more than {MAX_DEPTH} nested messages"),
        ("zork: 1\n" * 100_000, "no Caffe net, hardly a field is known"),
    ],
    ids=["bytes", "layers", "depth", "unknown"],
)
def test_hostile_sizes_are_refused_early(tmp_path, text, message):
    with pytest.raises(ModelError, match=message):
        read(tmp_path, text)


WORDS = r"""layer layers name input pooling_param x : { } < > [ ] "a" 'b # , ; 1 -3.5e7 MAX [a.b/c] \ type"""


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*WORDS.split(), "\n"]), max_size=30))
def test_any_words_give_a_net_or_an_error(tmp_path_factory, words):
    path = tmp_path_factory.mktemp("words") / "net.prototxt"
    path.write_text(" ".join(words))
    with suppress(ModelError):
        source = read_prototxt(path)
        assert len(source.layers) == len(source.net.layer) + len(source.net.layers)
