"""One decoded convolution: the form that the reference and the kernels execute.

Source: hardware-facts sections 2, 3 and 6.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.pixel import PixelFormat


@dataclass(frozen=True)
class ConvLayer:
    """One convolution. Sizes are elements (not minus one), strides, addresses and item sizes bytes."""

    winograd: bool
    pixels: PixelFormat | None  # None: a feature cube
    in_itemsize: int
    itemsize: int  # of processing: data and weights inside the convolution buffer

    # the input in memory
    ram_type: int
    address: int
    address_1: int  # second plane of semi-planar pixels
    line_stride: int
    uv_line_stride: int  # of the second plane
    surf_stride: int
    width: int
    height: int
    channels: int
    batches: int
    batch_stride: int
    pixel_x_offset: int
    pixel_signed: bool

    # the input converter: (x - offset) * scale / 2^truncate, ``offset`` for each component or one for all
    convert: bool
    cvt_offset: tuple[int, ...]
    cvt_scale: int
    cvt_truncate: int

    # padding; the value is in the converted domain
    pad_left: int
    pad_right: int
    pad_top: int
    pad_bottom: int
    pad_value: int

    # the cube inside the convolution buffer; in Winograd mode padded, and strides turned into channels
    ext_width: int
    ext_height: int
    ext_channels: int
    channel_stride_x: int  # Winograd: the strides that became channels
    channel_stride_y: int
    stride_x: int
    stride_y: int
    dilation_x: int
    dilation_y: int
    pra_truncate: int

    # weights; for pixels kernel_width is 1 and kernel_channels = kernel width * components
    weight_ram_type: int
    weight_address: int
    weight_bytes: int
    kernels: int
    kernel_width: int
    kernel_height: int
    kernel_channels: int
    rows_per_step: int  # post extension: 1, 2 or 4 kernel rows in one MAC step
    compressed: bool
    wmb_address: int
    wmb_bytes: int
    wgs_address: int

    # convolution buffer
    entries_per_slice: int
    data_banks: int
    weight_banks: int
    data_reuse: bool
    weight_reuse: bool
    skip_data_release: bool
    skip_weight_release: bool
    release_slices: int

    # accumulator
    out_width: int
    out_height: int
    clip_truncate: int

    @property
    def kernel_bytes(self) -> int:
        """Bytes of one kernel, uncompressed."""
        return self.kernel_width * self.kernel_height * self.kernel_channels * self.itemsize

    def plane_starts(self, config: Config, pixels: PixelFormat) -> tuple[int, ...]:
        """Bytes of a pixel line in front of the first pixel, for each plane.

        Of the second plane's offset, whole atoms are dropped.
        """
        starts = [self.pixel_x_offset * pixel_bytes for pixel_bytes in pixels.plane_bytes]
        return starts[0], *(start % config.atom for start in starts[1:])

    @property
    def slice_shape(self) -> tuple[int, ...]:
        """Of one slice in the convolution buffer: [column, channel], or [element] of a padded pixel line."""
        if self.pixels:
            return ((self.pad_left + self.width + self.pad_right) * self.channels,)
        return self.ext_width, self.ext_channels

    def atomic_k(self, config: Config) -> int:
        """Kernels of one group: half as many when elements are twice as wide."""
        return config.atomic_k // self.itemsize

    def lanes(self, config: Config) -> int:
        """Channels of the output stream: the kernels rounded up to whole atoms."""
        per_atom = config.atom // self.itemsize
        return -(-self.kernels // per_atom) * per_atom
