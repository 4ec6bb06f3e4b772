"""The contract of a WebSocket engine: bytes in, messages out, messages in, bytes out.

A case takes ``ws``, a ``Surface``: whatever stands for the names of the WebSocket modules.  A draft
brings what it has, and the rest is ours: ``Surface(Connection=Draft)``.  Most cases make a
``ws.Connection()`` without arguments; ``limits``, ``agreed``, ``client`` and ``mask`` are passed by
name, and only in cases that are about them.  A draft that only reads is judged by
``cases_in("reading")``.
"""

from __future__ import annotations

import importlib

from . import Case, cases
from .websocket_frames import Surface, bytewise, cut_up, masked, plain, read

PARTS = ("reading", "text", "close", "limits", "sending", "handshake", "deflate")

for part in PARTS:  # so that the cases stand in that order
    importlib.import_module(f"{__package__}.websocket_{part}")


def cases_in(*parts: str) -> list[Case]:
    """Return the cases of some of the PARTS."""
    ends = tuple(f".websocket_{part}" for part in parts)
    return [each for each in cases("websocket") if each.run.__module__.endswith(ends)]


__all__ = ["PARTS", "Surface", "bytewise", "cases_in", "cut_up", "masked", "plain", "read"]
