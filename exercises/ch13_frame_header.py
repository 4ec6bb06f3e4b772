"""★ frame-header: the nine bytes with which every frame of HTTP/2 begins.

Write ``frame_header(data)``. ``data`` begins with a frame, of which perhaps not all has come. While
one of its first nine bytes is missing, return None. Then return four numbers: the length of the
payload, the type, the flags and the stream.

    frame_header(bytes.fromhex("00 00 12 01 05 00 00 00 01 82"))  ->  (18, 1, 5, 1)

The first bit of the stream's four bytes is reserved: whoever reads it ignores it (RFC 9113 §4.1).
"""

from __future__ import annotations


def frame_header(data: bytes) -> tuple[int, int, int, int] | None:
    """Return length, type, flags and stream of the frame; None while its header is not here."""
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
