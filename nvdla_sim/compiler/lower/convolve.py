"""A convolution with given integer weights: their layout, the cutting to fit the buffer, the operations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nvdla_sim.compiler.lower.lowering import Lowering, Tensor
from nvdla_sim.compiler.program import Conv, Cube, IntArray, Post, Sdp
from nvdla_sim.compiler.tile import Geometry, Plan, entries_per_row, image_entries_per_row, plan
from nvdla_sim.compiler.weights import PIXEL, feature_weights, image_extension, image_weights
from nvdla_sim.hw.formats import Int8


def convolve(
    to: Lowering, layer: str, source: Tensor, weights: Int8, geometry: Geometry, post: Post, name: str
) -> None:
    """Write ``post(weights * source)`` to the tensor ``name``. ``weights``: int8 KCRS over real channels."""
    cut = _plan(to, layer, source, weights, geometry)
    lanes = _lanes(cut, to.config.atom)
    if lanes is None or name not in to.graph.outputs:
        _emit(to, layer, source, weights, geometry, post, cut, to.destination(name, lanes).cube)
        return
    _, height, width = to.graph.tensors[name].chw
    holed = to.scratch(int(lanes[-1]) + 1, height, width, to.scales[name], lanes)
    _emit(to, layer, source, weights, geometry, post, cut, holed.cube)
    copy_channels(to, layer, holed, name)


def cuts_kernels(to: Lowering, source: Tensor, weights: Int8, geometry: Geometry) -> bool:
    """Whether the result has its channels in other lanes than their own."""
    return len(_plan(to, "", source, weights, geometry).kernels) > 1


def copy_channels(to: Lowering, layer: str, source: Tensor, name: str) -> None:
    """Copy a tensor, channel i to lane i, through a 1x1 convolution with ones and zeros: exact."""
    convolve(to, layer, source, _selector(to, name), Geometry((1, 1)), Post(), name)


def features(to: Lowering, name: str, in_order: bool = False) -> Tensor:
    """The tensor ``name`` as a feature cube, channel i in lane i if ``in_order``.

    A picture, or a cube with other lanes, is copied when that is first asked for.
    """
    tensor = to.tensors[name]
    if tensor.image or (in_order and tensor.lanes is not None):
        weights, geometry = _selector(to, name), Geometry((1, 1))
        cut = _plan(to, name, tensor, weights, geometry)
        copy = to.scratch(*to.graph.tensors[name].chw, tensor.scale, _lanes(cut, to.config.atom))
        _emit(to, name, tensor, weights, geometry, Post(), cut, copy.cube)
        to.tensors[name] = tensor = copy
    return tensor


def _selector(to: Lowering, name: str) -> Int8:
    return np.eye(to.graph.tensors[name].chw[0], dtype=np.int8)[:, :, None, None]


def _plan(to: Lowering, layer: str, source: Tensor, weights: Int8, geometry: Geometry) -> Plan:
    config, cube = to.config, source.cube
    kernels, channels, rows, columns = weights.shape
    if source.image:
        channels, entries = PIXEL, image_entries_per_row(config, cube.width, geometry.pads)
    else:
        channels = channels if source.lanes is None else int(source.lanes.max()) + 1
        entries = entries_per_row(config, channels, cube.width)
    return plan(
        config, f'layer "{layer}"', geometry, cube.height, entries, kernels, channels * rows * columns
    )


def _lanes(cut: Plan, atom: int) -> IntArray | None:
    """Where the kernels' results go: each piece of kernels starts a surface."""
    if len(cut.kernels) == 1:
        return None
    return np.concatenate(
        [np.arange(piece.stop - piece.start) + index * atom for index, piece in enumerate(cut.kernels)]
    )


def _emit(
    to: Lowering,
    layer: str,
    source: Tensor,
    weights: Int8,
    geometry: Geometry,
    post: Post,
    cut: Plan,
    dest: Cube,
) -> None:
    config, atom = to.config, to.config.atom
    extension = image_extension(geometry.kernel, geometry.stride[1], config) if source.image else 1
    for index, kernels in enumerate(cut.kernels):
        if source.image:
            channels, data = PIXEL, image_weights(weights[kernels], extension, config)
        else:
            spread = in_lanes(weights[kernels], source.lanes)
            channels, data = spread.shape[1], feature_weights(spread, config)
        src = replace(source.cube, channels=channels)
        surfaces = dest.lanes(index * atom, kernels.stop - kernels.start, atom)
        for piece, rows in enumerate(cut.rows):
            dst = surfaces.rows(rows.first, rows.count)
            conv = Conv(
                layer=layer,
                src=src.rows(rows.top, rows.height),
                dst=dst.flying,
                weights=data,
                kernel=geometry.kernel,
                stride=geometry.stride,
                dilation=geometry.dilation,
                pads=replace(geometry.pads, top=rows.pad_top, bottom=rows.pad_bottom),
                entries=cut.entries,
                data_banks=cut.data_banks,
                weight_banks=cut.weight_banks,
                image=source.image,
                extension=extension,
                reuse_weights=cut.resident and piece > 0,
                keep_weights=cut.resident and piece < len(cut.rows) - 1,
            )
            part = post.part(kernels, slice(rows.first, rows.first + rows.count), atom)
            to.emit(conv, Sdp(layer, dst.flying, dst, part))


def in_lanes(weights: Int8, lanes: IntArray | None) -> Int8:
    """KCRS over real channels -> over the lanes of a cube, zeros where a lane is no channel."""
    if lanes is None:
        return weights
    kernels, _, rows, columns = weights.shape
    spread = np.zeros((kernels, int(lanes.max()) + 1, rows, columns), np.int8)
    spread[:, lanes] = weights
    return spread
