"""A convolution with given integer weights as operations, and the copies that are convolutions with ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nvdla_sim.compiler.lower.blocks import Block, result_lanes, split_blocks
from nvdla_sim.compiler.lower.lowering import Lowering, Tensor
from nvdla_sim.compiler.program import Conv, Cube, Pads, Post, Sdp
from nvdla_sim.compiler.tile import Geometry
from nvdla_sim.compiler.weights import feature_weights, image_extension, image_weights
from nvdla_sim.errors import UnsupportedError
from nvdla_sim.hw.formats import Int8

POINT = Geometry((1, 1))
DENSE_COPY = 1 << 19  # bytes of weights that a copy in one operation may have


def convolve(
    to: Lowering,
    layer: str,
    source: Tensor,
    weights: Int8,
    geometry: Geometry,
    post: Post,
    name: str,
    group: int = 1,
) -> None:
    """Write ``post(weights * source)`` to the tensor ``name``.

    ``weights``: int8 KCRS over the real channels of a group; ``post`` over the K real output channels.
    """
    blocks = list(split_blocks(to, layer, source, weights, geometry, group))
    lanes = result_lanes(blocks, to.config.atom)
    if lanes is None or name not in to.graph.outputs:
        _emit(to, layer, source.image, geometry, post, blocks, to.destination(name, lanes).cube)
        return
    _, height, width = to.graph.tensors[name].chw
    holed = to.scratch(int(lanes[-1]) + 1, height, width, to.scales[name], lanes)
    _emit(to, layer, source.image, geometry, post, blocks, holed.cube)
    copy_channels(to, layer, holed, name)


def convolve_into(
    to: Lowering,
    layer: str,
    source: Tensor,
    weights: Int8,
    geometry: Geometry,
    post: Post,
    dest: Cube,
    group: int = 1,
) -> None:
    """As ``convolve``, to a cube with any strides.

    Raises ``UnsupportedError`` where kernels would have to be cut.
    """
    blocks = list(split_blocks(to, layer, source, weights, geometry, group))
    if result_lanes(blocks, to.config.atom) is not None:
        raise UnsupportedError(
            f'layer "{layer}": {to.config.atomic_k} kernels of {blocks[0].weights[0].size} bytes do not fit '
            f"{to.config.name}'s convolution buffer of {to.config.cbuf_bytes} bytes together"
        )
    _emit(to, layer, source.image, geometry, post, blocks, dest)


def cuts_kernels(to: Lowering, source: Tensor, weights: Int8, geometry: Geometry, group: int = 1) -> bool:
    """Whether ``convolve`` leaves the channels in other lanes than their own."""
    blocks = list(split_blocks(to, "", source, weights, geometry, group))
    return result_lanes(blocks, to.config.atom) is not None


def copy_channels(to: Lowering, layer: str, source: Tensor, name: str) -> None:
    """Copy a tensor, channel i to lane i, through a 1x1 convolution with ones and zeros: exact."""
    ones, group = _ones(to, source, name)
    convolve(to, layer, source, ones, POINT, Post(), name, group)


def features(to: Lowering, name: str, in_order: bool = False) -> Tensor:
    """The tensor ``name`` as a feature cube, channel i in lane i if ``in_order``.

    A picture, or a cube with other lanes, is copied when that is first asked for.
    """
    tensor = to.tensors[name]
    if tensor.image or (in_order and tensor.lanes is not None):
        ones, group = _ones(to, tensor, name)
        blocks = list(split_blocks(to, name, tensor, ones, POINT, group))
        copy = to.scratch(*to.graph.tensors[name].chw, tensor.scale, result_lanes(blocks, to.config.atom))
        _emit(to, name, tensor.image, POINT, Post(), blocks, copy.cube)
        to.tensors[name] = tensor = copy
    return tensor


def features_for(to: Lowering, name: str, output: str) -> Tensor:
    """``features`` for an operation that leaves lanes as they are and writes the tensor ``output``."""
    return features(to, name, in_order=output in to.graph.outputs)


def _ones(to: Lowering, source: Tensor, name: str) -> tuple[Int8, int]:
    """Weights that copy the channels of ``source`` to the tensor ``name``, and their groups.

    Many channels are groups of their own: each operation reads only the surfaces it needs.
    """
    count = to.graph.tensors[name].chw[0]
    if source.image or count * source.cube.channels <= DENSE_COPY:
        return np.eye(count, dtype=np.int8)[:, :, None, None], 1
    return np.ones((count, 1, 1, 1), np.int8), count


def _emit(
    to: Lowering, layer: str, image: bool, geometry: Geometry, post: Post, blocks: list[Block], dest: Cube
) -> None:
    config, atom, surface = to.config, to.config.atom, 0
    # the SDP takes a single pixel for packed: with gaps between its surfaces each is an operation
    lonely = (dest.height, dest.width) == (1, 1) and (dest.line, dest.surf) != (atom, atom)
    extension = image_extension(geometry.kernel, geometry.stride[1], config) if image else 1
    for block in blocks:
        cut = block.cut
        for piece in _single_surfaces(cut.kernels, atom) if lonely else cut.kernels:
            values, count = block.weights[piece], piece.stop - piece.start
            data = image_weights(values, extension, config) if image else feature_weights(values, config)
            kernels = slice(block.kernels.start + piece.start, block.kernels.start + piece.stop)
            surfaces = dest.lanes(surface * atom, count, atom)
            surface += -(-count // atom)
            for index, part in enumerate(cut.pieces):
                rows, columns = part.rows, part.columns
                dst = surfaces.rows(rows.first, rows.count).columns(columns.first, columns.count, atom)
                if lonely:
                    dst = replace(dst, line=atom, surf=atom)
                src = block.src.rows(rows.start, rows.size)
                conv = Conv(
                    layer=layer,
                    src=src if image else src.columns(columns.start, columns.size, atom),
                    dst=dst.flying,
                    weights=data,
                    kernel=geometry.kernel,
                    stride=geometry.stride,
                    dilation=geometry.dilation,
                    pads=Pads(rows.before, columns.before, rows.after, columns.after),
                    entries=part.entries,
                    data_banks=cut.data_banks,
                    weight_banks=cut.weight_banks,
                    image=image,
                    extension=extension,
                    reuse_weights=cut.resident and index > 0,
                    keep_weights=cut.resident and index < len(cut.pieces) - 1,
                )
                work = post.part(kernels, rows.written, columns.written, atom)
                to.emit(conv, Sdp(layer, dst.flying, dst, work))


def _single_surfaces(pieces: Sequence[slice], atom: int) -> list[slice]:
    return [
        slice(start, min(start + atom, piece.stop))
        for piece in pieces
        for start in range(piece.start, piece.stop, atom)
    ]
