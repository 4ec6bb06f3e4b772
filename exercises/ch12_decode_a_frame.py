"""★ decode-a-frame: bytes in, one frame out, wherever the network cuts.

Write ``decode_frame(data)``. ``data`` begins with a client's frame, of which perhaps not all has
come. While a byte of it is missing, return None. Then return four things: FIN as a bool, the opcode
as a number, the payload with its mask undone, and the bytes behind the frame. A frame without a
mask raises ValueError.

    decode_frame(bytes.fromhex("81 85 37 fa 21 3d 7f 9f 4d 51 58"))  ->  (True, 1, b"Hello", b"")

Reserved bits are not your affair here: they are no part of the opcode.
"""

from __future__ import annotations


def decode_frame(data: bytes) -> tuple[bool, int, bytes, bytes] | None:
    """Return FIN, opcode, payload and what is behind the first frame; None while it is not here."""
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
