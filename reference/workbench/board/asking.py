"""What clients may ask of the board, whatever the interface: routes, numbers, posts.

Bytes and text come in, values come out, or a ``Problem``: a status and a sentence for a person.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qs

from .store import Board, Post

Handler = TypeVar("Handler")

LONGEST_POST = 65536  # bytes of a request that we take for a post
HOME = "./"  # from /posts, and relative: a proxy may have taken a prefix off (RFC 9110 §10.2.2)
HEARTBEAT = 15.0  # seconds of silence in a feed, after which we see whether anybody is there
TYPES = {
    "html": "text/html; charset=utf-8",
    "script": "text/javascript; charset=utf-8",
    "json": "application/json",
    "plain": "text/plain; charset=utf-8",
    "events": "text/event-stream",
}


class Problem(Exception):
    """The client asked for something that it cannot have: a status and a sentence."""

    def __init__(self, status: int, sentence: str, allow: str = "") -> None:
        super().__init__(status, sentence)
        self.status = status
        self.sentence = sentence
        self.allow = allow


def route(routes: Mapping[tuple[str, str], Handler], method: str, path: str) -> Handler:
    """Return the handler of a method and a path; raise Problem where there is none."""
    handler = routes.get(("GET" if method == "HEAD" else method, path))
    if handler is not None:
        return handler
    allow = ", ".join(known for known, there in routes if there == path)
    if not allow:
        raise Problem(404, f"there is no {path} here")
    raise Problem(405, f"{path} takes {allow}", allow)


def number(query: str, name: str, default: float, most: float) -> float:
    """Return a number from the query, between 0 and ``most``."""
    text = parse_qs(query).get(name, [str(default)])[-1]
    try:
        value = float(text)
    except ValueError:
        raise Problem(400, f"{name} must be a number") from None
    if not 0 <= value <= most:
        raise Problem(400, f"{name} must be between 0 and {most:g}")
    return value


def add_post(board: Board, body: bytes, is_json: bool) -> Post:
    """Pin up what a request brings: a form from the page, or JSON."""
    try:
        fields: Any = json.loads(body) if is_json else parse_form(body)
        return board.add(str(fields.get("author", "")), str(fields.get("text", "")))
    except (ValueError, AttributeError) as error:
        raise Problem(400, str(error)) from error


def parse_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form, of each the last value."""
    fields = parse_qs(body.decode(), max_num_fields=10, keep_blank_values=True)
    return {name: values[-1] for name, values in fields.items()}


def last_event(text: str) -> int:
    """Return the number that a reader of the feed has seen last, by its Last-Event-ID."""
    return int(text) if text.isascii() and text.isdecimal() else 0


def limited(size: int, most: float) -> None:
    """Raise Problem when a body of ``size`` bytes is longer than ``most``."""
    if size > most:
        raise Problem(413, f"at most {most:.0f} bytes, please")
