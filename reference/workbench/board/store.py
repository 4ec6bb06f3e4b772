"""What the board remembers: posts, in memory, for any number of threads."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice

AUTHOR, TEXT = 40, 500  # characters, at most


@dataclass(frozen=True, slots=True)
class Post:
    """One post; ``number`` counts from 1."""

    number: int
    author: str
    text: str

    def as_dict(self) -> dict[str, int | str]:
        """Return it as JSON wants it."""
        return asdict(self)


Listener = Callable[[Post], object]


class Board:
    """Keep the last ``most`` posts, and tell those who listen about new ones.

    ``id`` tells this board from one before it, whose posts were counted from 1, too.
    """

    def __init__(self, most: int = 1000) -> None:
        self.id = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._posts: deque[Post] = deque(maxlen=most)
        self._listeners: list[Listener] = []
        self._count = 0

    def add(self, author: str, text: str) -> Post:
        """Pin up a post and tell the listeners; raise ValueError for an empty or a long one."""
        author, text = author.strip() or "anonymous", text.strip()
        if not text:
            raise ValueError("a post needs some text")
        if len(author) > AUTHOR or len(text) > TEXT:
            raise ValueError(f"a post has at most {TEXT} characters, and its author {AUTHOR}")
        with self._lock:
            self._count += 1
            post = Post(self._count, author, text)
            self._posts.append(post)
            # Told under the lock, so that nobody hears of two posts in the wrong order.
            for listener in self._listeners:
                listener(post)
        return post

    def posts(self, after: int = 0) -> list[Post]:
        """Return the posts with a number over ``after``, oldest first."""
        with self._lock:
            # From the end: who follows wants the last one or two, and there may be many of them.
            return [*islice(reversed(self._posts), max(0, self._count - after))][::-1]

    @contextmanager
    def listening(self, listener: Listener, after: int | None = None) -> Iterator[None]:
        """Call ``listener`` for each new post, in the thread that posts: it must only pass it on.

        With ``after`` it is first told the posts that it has missed, and none is lost or doubled.
        """
        with self._lock:
            if after is not None:
                for post in self._posts:
                    if post.number > after:
                        listener(post)
            self._listeners.append(listener)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(listener)

    @property
    def listeners(self) -> int:
        """How many listen now."""
        with self._lock:
            return len(self._listeners)
