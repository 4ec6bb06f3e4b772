# trips: every split
from __future__ import annotations


def decode_frame(data: bytes) -> tuple[bool, int, bytes, bytes] | None:
    """Return FIN, opcode, payload and what is behind the first frame; None while it is not here."""
    if not data[1] & 0x80:
        raise ValueError("a client must mask its frames (RFC 6455 §5.1)")
    length, at = data[1] & 0x7F, 2
    more = {126: 2, 127: 8}.get(length, 0)
    if more:
        length, at = int.from_bytes(data[2 : 2 + more], "big"), 2 + more
    end = at + 4 + length
    if len(data) < end:
        return None
    mask, masked = data[at : at + 4], data[at + 4 : end]
    payload = bytes([byte ^ mask[place % 4] for place, byte in enumerate(masked)])
    return bool(data[0] & 0x80), data[0] & 0x0F, payload, data[end:]
