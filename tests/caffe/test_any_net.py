"""Nets of random layers with random parameters: a graph that runs as it promised, or an error."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.caffe.caffe_pb2 import Layer
from nvdla_sim.caffe.importer import load_caffe
from nvdla_sim.caffe.layers import BUILDERS
from nvdla_sim.errors import NvdlaError
from tests.caffe.nets import layer
from tests.caffe.test_layers import MEANINGS
from tests.graph.cases import random_array, random_params

# Layer type -> the name of its parameter message, as the tests of meaning use it.
PARAMS = {kind: param.split()[0] for kind, param, _ in MEANINGS if "_param {" in param}


@st.composite
def fields(draw, kind):
    """A parameter message with a few fields of random small values."""
    name = PARAMS.get(kind)
    known = Layer.DESCRIPTOR.fields_by_name.get(name)
    if known is None or not known.message_type.fields:
        return ""
    texts = []
    for field in draw(
        st.lists(st.sampled_from(list(known.message_type.fields)), max_size=4, unique_by=lambda f: f.name)
    ):
        if field.enum_type is not None:
            value = draw(st.sampled_from([v.name for v in field.enum_type.values]))
        elif field.cpp_type == field.CPPTYPE_BOOL:
            value = draw(st.sampled_from(["true", "false"]))
        elif field.message_type is not None and field.message_type.name == "Shape":
            value = f"{{ dim: {draw(st.lists(st.integers(-2, 6), max_size=4))} }}"
        elif field.message_type is not None:
            value = "{ }"
        else:
            value = str(draw(st.integers(-1, 4)))
        texts.append(f"{field.name}: {value}")
    required = " num_output: 2 kernel_size: 2" if name == "convolution_param" else ""
    return f"{name} {{ {' '.join(texts)}{required} }}"


@st.composite
def nets(draw):
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    dims = " ".join(f"dim: {size}" for size in [2, *sizes])
    blobs, text = ["data"], f'input: "data" input_shape {{ {dims} }}\n'
    for index in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(sorted(BUILDERS)))
        bottoms = draw(st.lists(st.sampled_from(blobs), min_size=1, max_size=2))
        tops = draw(st.sampled_from([f"t{index}", f"t{index}", f"t{index} u{index}", bottoms[0]]))
        text += layer(kind, draw(fields(kind)), f"l{index}", " ".join(bottoms), tops)
        blobs += [top for top in tops.split() if top not in blobs]
    return text


@settings(max_examples=300, deadline=None)
@given(nets())
def test_any_net(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("net") / "net.prototxt"
    path.write_text(text)
    try:
        graph = load_caffe(path, None)
    except NvdlaError:
        return
    for node in graph.nodes:
        node.params.update(random_params(node.op, [graph.tensors[name].shape for name in node.inputs]))
    values = graph.run({name: random_array(1, 3, *graph.tensors[name].shape) for name in graph.inputs})
    assert {name: value.shape[1:] for name, value in values.items()} == {
        name: tensor.shape for name, tensor in graph.tensors.items()
    }
