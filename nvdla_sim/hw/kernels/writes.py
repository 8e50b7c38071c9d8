"""Where a launch writes."""

from __future__ import annotations

from collections.abc import Iterator

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.formats import feature_extent
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.rubik import RubikLayer, RubikMode
from nvdla_sim.hw.surface import Surface

Extent = tuple[int, int, int]  # RAM type, address, bytes


def writes(config: Config, launch: Launch) -> Iterator[Extent]:
    """The memory that the launch may write, gaps between lines and surfaces included."""
    sdp, pdp, cdp = launch.sdp, launch.pdp, launch.cdp
    if sdp is not None and sdp.destination is not None:
        for batch in range(sdp.batches):
            channels = sdp.channels * sdp.out_itemsize // sdp.itemsize * sdp.itemsize
            extent = _cube(config, sdp.destination, channels, sdp.height, sdp.width)
            yield extent[0], extent[1] + batch * sdp.destination_batch_stride, extent[2]
    if pdp is not None:
        yield _cube(config, pdp.destination, pdp.channels * pdp.itemsize, pdp.out_height, pdp.out_width)
    if cdp is not None:
        yield _cube(config, cdp.destination, cdp.channels * cdp.itemsize, cdp.height, cdp.width)
    if launch.rubik is not None:
        yield _rubik(config, launch.rubik)
    for copy in launch.bdma.copies if launch.bdma is not None else ():
        place = copy.destination
        size = feature_extent(copy.surfaces, copy.lines, 1, 1, place.line_stride, place.surf_stride)
        yield place.ram_type, place.address, size - 1 + copy.line_bytes


def _cube(config: Config, surface: Surface, channel_bytes: int, height: int, width: int) -> Extent:
    strides = (surface.line_stride, surface.surf_stride)
    return (
        surface.ram_type,
        surface.address,
        feature_extent(channel_bytes, height, width, config.atom, *strides),
    )


def _rubik(config: Config, layer: RubikLayer) -> Extent:
    place, atom = layer.destination, config.atom
    line_bytes = -(-layer.width * layer.itemsize // atom) * atom
    if layer.mode is RubikMode.SPLIT:
        surfaces, line = layer.out_channels, line_bytes
    elif layer.mode is RubikMode.MERGE:
        surfaces, line = -(-layer.channels * layer.itemsize // atom), layer.width * atom
    else:
        surfaces = -(-layer.out_channels * layer.itemsize // atom)
        line = layer.width * layer.stride_x * atom
        last = (layer.height - 1) * layer.row_stride + (layer.stride_y - 1) * place.line_stride
        return place.ram_type, place.address, (surfaces - 1) * place.surf_stride + last + line
    last = (surfaces - 1) * place.surf_stride + (layer.height - 1) * place.line_stride
    return place.ram_type, place.address, last + line
