"""WebSocket: the checks of RFC 6455 and 7692, and of ASGI's websocket scope, in five parts."""

from __future__ import annotations

from . import (
    checks_websocket_asgi,
    checks_websocket_close,
    checks_websocket_deflate,
    checks_websocket_frames,
    checks_websocket_handshake,
)  # isort: skip

PARTS = (
    checks_websocket_handshake, checks_websocket_frames, checks_websocket_close,
    checks_websocket_deflate, checks_websocket_asgi,
)  # fmt: skip
"""In the order of the table."""
