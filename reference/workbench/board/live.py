"""The board's live feed over WebSocket: posts as they come, and how many read along.

Each message is one JSON object: ``board``, which board this is; ``posts``, those that are new for
this reader; ``readers``, how many are here.  A reader asks for ``live?board=...&after=7`` and first
gets what it missed; the number of another board counts as none.  What a reader says is ignored, so
no Origin is checked: the feed gives nothing that ``/posts`` does not give, and takes no orders.

The policy for slow readers.  A chat may have no gaps, and nobody may wait for the slowest, so who
reads slower than others post is sent away, with code 1013; it comes back and asks for what it
missed.  What waits for a reader is no queue of its own: it is where this reader is in the board's
one list of posts, so a thousand slow readers cost as much memory as one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

from .asking import HEARTBEAT, last_event
from .page import as_json
from .store import Board, Post

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

BEHIND = 100  # posts that may wait for a reader whose network takes no more
BATCH = 20  # posts in one message, at most
PRESENCE = 0.1  # seconds between two tidings of who is here: a crowd that comes back is told once
TOO_SLOW = {"type": "websocket.close", "code": 1013, "reason": "too slow: come back and catch up"}


class Reader:
    """One WebSocket: how far it has read, and whether it takes what it is sent."""

    def __init__(self, after: int, most: int) -> None:
        self.after = after
        self.most = most
        self.news = asyncio.Event()
        self.sending = False
        self.teller: asyncio.Task[None] | None = None

    def heard(self, number: int) -> None:
        """Note that post ``number`` is there; give up on a reader that is too far behind.

        Only on one that does not take what it is being sent: when a hundred are posted at once,
        everybody is behind for a moment, and nobody is slow.
        """
        self.news.set()
        if self.sending and number - self.after > self.most and self.teller is not None:
            self.teller.cancel()


class Live:
    """The readers of one board, in one event loop."""

    def __init__(self, board: Board, most: int = BEHIND) -> None:
        self.board = board
        self.most = most
        self.readers: set[Reader] = set()
        self._presence: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket until its reader leaves or is too slow."""
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        reader = Reader(self._after(scope), self.most)
        leaving = asyncio.create_task(until_left(receive))
        reader.teller = teller = asyncio.create_task(self._tell(reader, send))
        try:
            with self._present(reader):
                await asyncio.wait((leaving, teller), return_when=asyncio.FIRST_COMPLETED)
            if not leaving.done():
                with suppress(OSError):  # it has left in this very moment
                    await (send(TOO_SLOW) if teller.cancelled() else teller)
        finally:
            leaving.cancel()
            teller.cancel()
            await asyncio.gather(leaving, teller, return_exceptions=True)

    def _after(self, scope: Scope) -> int:
        """Return the number of the last post that a reader has seen of this board."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        same = query.get("board") == [self.board.id]
        return last_event(query.get("after", [""])[-1]) if same else 0

    @contextmanager
    def _present(self, reader: Reader) -> Iterator[None]:
        """Let a reader hear of posts, and others of the reader."""
        loop = asyncio.get_running_loop()

        def posted(post: Post) -> None:
            loop.call_soon_threadsafe(reader.heard, post.number)

        with self.board.listening(posted):
            self.readers.add(reader)
            self._tell_others(loop)
            try:
                yield
            finally:
                self.readers.discard(reader)
                self._tell_others(loop)

    def _tell_others(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell everybody how many are here, soon.

        A timer whose time is over and that is still here is that of a loop that has ended.
        """
        if self._presence is None or self._presence.when() <= loop.time():
            self._presence = loop.call_later(PRESENCE, self._wake)

    def _wake(self) -> None:
        self._presence = None
        for reader in self.readers:
            reader.news.set()

    async def _tell(self, reader: Reader, send: Send) -> None:
        """Send what is new, as it comes, and something in any case every HEARTBEAT seconds."""
        told = 0
        while True:
            reader.news.clear()
            posts = tuple(self.board.posts(reader.after)[:BATCH])
            present = len(self.readers)
            if not posts and present == told:
                try:
                    async with asyncio.timeout(HEARTBEAT):  # wait_for of 3.11 can lose a cancel()
                        await reader.news.wait()
                    continue
                except TimeoutError:
                    pass
            reader.sending = True
            await send({"type": "websocket.send", "text": message(self.board.id, posts, present)})
            reader.sending = False
            told = present
            if posts:
                reader.after = posts[-1].number


@lru_cache(maxsize=32)
def message(board: str, posts: tuple[Post, ...], readers: int) -> str:
    """Return the text of one message; most readers get the same one, so it is remembered.

    >>> message("7c21", (Post(7, "Ada", "hello"),), 2)
    '{"board": "7c21", "posts": [{"number": 7, "author": "Ada", "text": "hello"}], "readers": 2}'
    """
    news = {"board": board, "posts": [post.as_dict() for post in posts], "readers": readers}
    return as_json(news).decode().rstrip()


async def until_left(receive: Receive) -> None:
    """Wait until the reader has left."""
    while (await receive())["type"] != "websocket.disconnect":
        pass
