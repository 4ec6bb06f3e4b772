"""HTTP/2: the checks of RFC 9113 and 7541, and of ASGI over it, in four parts."""

from __future__ import annotations

import importlib

NAMES = ("frames", "streams", "fields", "asgi")
"""In the order of the table."""

PARTS = [importlib.import_module(f"{__package__}.checks_http2_{name}") for name in NAMES]
