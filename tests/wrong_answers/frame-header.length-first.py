# trips: the picture
from __future__ import annotations


def frame_header(data: bytes) -> tuple[int, int, int, int] | None:
    """Return length, type, flags and stream of the frame; None while its header is not here."""
    if len(data) < 9:
        return None
    length = int.from_bytes(data[:4], "big")
    stream = int.from_bytes(data[5:9], "big") & 0x7FFFFFFF
    return length, data[3], data[4], stream
