"""Small pictures with a palette as data URIs."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Colour = tuple[int, int, int]


def data_uri(pixels: npt.NDArray[np.uint8], palette: Sequence[Colour], *, transparent: bool = True) -> str:
    """Return a picture as the address of an image that holds it.

    Parameters
    ----------
    pixels : uint8 array, shape (rows, columns)
        Places in the palette.
    """
    rows, columns = pixels.shape
    # each row begins with the number of its filter, which is none
    raw = np.insert(pixels, 0, 0, axis=1).tobytes()
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
        (b"PLTE", bytes(level for colour in palette for level in colour)),
        *([(b"tRNS", b"\x00")] if transparent else []),
        (b"IDAT", zlib.compress(raw, 9)),
        (b"IEND", b""),
    ]
    return "data:image/png;base64," + b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, parts))).decode()


def _chunk(part: tuple[bytes, bytes]) -> bytes:
    name, content = part
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
