"""What the boards share: where things are, what a line of a stream says, and the live feed.

The two WSGI boards keep their posts in a file, because WSGI servers have several processes, and
those share no memory.  Without BOARD_FOLDER each process has a file of its own.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Protocol

import httpx

from workbench.board.store import Board, Post

UPSTREAM = os.environ.get("BOARD_UPSTREAM", "")
EVERYBODY = httpx.Limits(max_connections=None, max_keepalive_connections=None)  # httpx: 100, and 20
LINES = 1000  # that a stream has at most


def folder() -> Path:
    """Return where a database belongs: without BOARD_FOLDER a new folder at every call."""
    return Path(os.environ.get("BOARD_FOLDER") or tempfile.mkdtemp(prefix="board-"))


class Query(Protocol):
    """The query of a request, as every framework gives it."""

    def get(self, name: str, /) -> str | None:
        """Return a part of it."""


def number(query: Query, name: str, default: float, most: float) -> float:
    """Return a number from the query, at most ``most``; what is none, or under 0, is the default.

    >>> number({"n": "7"}, "n", 5, 1000), number({"n": "nan"}, "n", 5, 1000)
    (7.0, 5)
    """
    try:
        found = float(query.get(name) or default)
    except ValueError:
        return default
    return min(found, most) if found >= 0 else default


def line(number: int, count: int) -> str:
    """Return a line of a stream; it tells by the machine's clock, in seconds, when it was made.

    So a reader can tell whether it came before the next one was made.
    """
    return f"line {number} of {count} at {time.monotonic():.6f}\n"


async def following(board: Board) -> AsyncGenerator[list[Post], None]:
    """Yield the posts that are there, then each new one as it comes, for ever."""
    loop, news = asyncio.get_running_loop(), asyncio.Queue[Post]()

    def posted(post: Post) -> None:
        loop.call_soon_threadsafe(news.put_nowait, post)

    with board.listening(posted):
        after = 0
        posts = board.posts()
        while True:
            yield posts
            after = max([after, *(post.number for post in posts)])
            post = await news.get()
            # One that came between listening and looking is told once.
            posts = [post] if post.number > after else []
