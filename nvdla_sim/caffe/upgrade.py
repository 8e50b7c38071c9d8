"""Layers of the old syntax (``layers { type: CONVOLUTION ... }``) as layers of the new one."""

from __future__ import annotations

from nvdla_sim.caffe.caffe_pb2 import Layer, LayerV1

# The new word is the old one in capitals and lower case, except:
RENAMED = {
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "LRN": "LRN",
    "MVN": "MVN",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}


def upgraded(old: LayerV1) -> Layer:
    """The same layer in the new syntax."""
    word = LayerV1.Type.Name(old.type)
    new = Layer(type=RENAMED.get(word) or "".join(part.capitalize() for part in word.split("_")))
    for field, value in old.ListFields():
        if field.name in ("type", "param") or field.name not in Layer.DESCRIPTOR.fields_by_name:
            continue  # "param" and the other fields of training have no meaning here
        if isinstance(value, str):
            setattr(new, field.name, value)
        else:
            getattr(new, field.name).MergeFrom(value)
    return new
