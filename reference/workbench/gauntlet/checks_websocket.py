"""WebSocket: the checks of RFC 6455 and 7692, and of ASGI's websocket scope, in five parts."""

from __future__ import annotations

import importlib

NAMES = ("handshake", "frames", "close", "deflate", "asgi")
"""In the order of the table."""

PARTS = [importlib.import_module(f"{__package__}.checks_websocket_{name}") for name in NAMES]
