"""Picture files decoded to pixels, for all who read them: the runtime and the data sets."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.errors import ImageError

Look = Callable[[tuple[int, int], str, bool], str]


def decode_picture(
    data: bytes, where: str, formats: tuple[str, ...], kinds: str, look: Look
) -> NDArray[np.uint8]:
    """The pixels [y, x, channel] of a picture file's bytes, one channel or blue, green, red.

    ``formats``: those of Pillow's that may be tried; ``kinds``: what the reader takes, in words. Before
    anything is decoded ``look`` gets (width, height), Pillow's mode and whether a colour is transparent;
    it returns the mode to read, "L" or "RGB", or raises ``ImageError``. ``ImageError`` naming ``where`` when
    the file is damaged or none of these.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=formats) as picture:
            mode = look(picture.size, picture.mode, "transparency" in picture.info)
            pixels = np.asarray(picture.convert(mode))
    except ImageError:
        raise
    except UnidentifiedImageError:  # its message names an object in memory
        raise ImageError(f"{where}: not a readable {kinds} file") from None
    except Exception as problem:  # a damaged file can raise nearly anything inside the decoder
        raise ImageError(f"{where}: not a readable {kinds} file ({problem})") from None
    return pixels[:, :, np.newaxis] if pixels.ndim == 2 else pixels[:, :, ::-1]
