"""The exercise of the first notebook: so small that it is about the report, not about the code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.contracts import Broken
from workbench.exercises.model import Exercise, Point, Slip, handing


def line_of(raw: bytes, wanted: bytes, *, again: bool = False) -> Callable[[Any], None]:
    """Return a check: this is the first line of these bytes.

    ``again``: the fault of the first point needs no other advice here.
    """

    def run(first_line: Any) -> None:
        with handing(raw):
            got = first_line(raw)
        if not isinstance(got, bytes):
            given = "None" if got is None else type(got).__name__
            problem = f"bytes are wanted; yours returned {given}"
            raise Slip(problem, sent=raw, got=got, wanted=wanted)
        if again and got == wanted + b"\r":
            raise Slip("here, too, the \\r is left", sent=raw, got=got, wanted=wanted)
        if got != wanted:
            raise Broken("the first line is another one", sent=raw, got=got, wanted=wanted)

    return run


FIRST_LINE = Exercise(
    name="first-line",
    chapter=0,
    title="Cut off the first line",
    effort=1,
    subject="first_line",
    points=(
        Point(
            "a request",
            line_of(b"GET /posts HTTP/1.1\r\nHost: board.example\r\n\r\n", b"GET /posts HTTP/1.1"),
            "cutting at the last of the two bytes that end a line, and keeping the other.",
            "RFC 9112 §2.1",
        ),
        Point(
            "an answer",
            line_of(
                b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK", again=True
            ),
            "looking for a word of the request. The line end is what both have.",
            "RFC 9112 §2.1",
        ),
    ),
    hints=(
        r"Look at the byte above the ^: what is it, and who put it there?",
        r"A line of HTTP ends in two bytes, \r\n. Where does your code cut?",
        r"""
        Cut where both bytes stand:

            raw.split(b"\r\n")[0]
        """,
    ),
    afterwards=r"""
        Two bytes end a line because early printers needed two moves: back to the margin (CR), then
        down a line (LF). HTTP has kept both.

        Gunicorn's parser looks for the same two bytes and refuses a lone \n. h11, which Uvicorn can
        use, cuts at the \n and takes the line with or without a \r before it. So does splitlines(),
        which passes here. Chapter 02 shows how such leniency becomes a security hole.
        """,
)

EXERCISES = (FIRST_LINE,)
