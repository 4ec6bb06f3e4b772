"""The board in its ASGI form, on either loop: it asks the upstream by the small client.

Run it with ``handmade serve workbench.small_board:app --loop handmade``, or ``--loop asyncio``; the
variable BOARD_UPSTREAM tells it the URL of its upstream.
"""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager
from typing import Any

from workbench.board import asgi
from workbench.small_client import SmallClient


class SmallBoard(asgi.BoardApp):
    """The board with the small client instead of httpx; all else is the same."""

    def client(self) -> AbstractAsyncContextManager[Any]:
        """Return a client of the upstream."""
        return SmallClient(self.upstream_url)


app = SmallBoard(os.environ.get("BOARD_UPSTREAM", ""))
