"""Tell a learner what a check found: what was sent, what came, which byte, and what is demanded."""

from __future__ import annotations

from .model import Result

WIDTH = 96  # characters of one line of bytes
ROUND = 40  # characters shown before the byte that matters, of bytes that are too long


def told(result: Result) -> str:
    """Return all about one result, line by line."""
    check = result.check
    judged = "a choice of the implementation" if check.choice else "judged"
    head = f"{result.verdict.upper()}: {check.name} ({check.group}, chapter {check.chapter}, "
    lines = [f"{head}{judged})", f"  {check.clause}: {check.sentence}"]
    if result.problem:
        lines.append(f"  {result.problem}")
    if result.sent is not None:
        lines += pointed("sent:", result.sent, result.suspect)
    if result.wanted is not None:
        lines += pointed("wanted:", result.wanted, None)
    if result.came is not None or result.wanted is not None:
        at = result.at if result.at is not None else first_difference(result.came, result.wanted)
        lines += pointed("came:", result.came, at)
    lines += [f"  confirmed: {each}" for each in check.seen]
    return "\n".join(lines)


def pointed(label: str, value: object, at: int | None) -> list[str]:
    """Return a value on one line, and a caret under its byte or character ``at`` on the next.

    >>> print("\\n".join(pointed("came:", b"HTTP/1.1 200 OK", 9)))
      came:   b'HTTP/1.1 200 OK'
                         ^ byte 9
    """
    text, column = repr(value), None
    if at is not None and at >= 0 and isinstance(value, bytes | str) and at <= len(value):
        column = len(repr(value[:at])) - 1
    text, column = cut(text, column)
    start = f"  {label:<8}"
    lines = [start + text]
    if column is not None:
        unit = "byte" if isinstance(value, bytes) else "character"
        lines.append(" " * (len(start) + column) + f"^ {unit} {at}")
    return lines


def cut(text: str, column: int | None) -> tuple[str, int | None]:
    """Return a text that fits on a line, around the column that matters, and the column in it."""
    if len(text) <= WIDTH:
        return text, column
    begin = 0 if column is None or column < WIDTH - ROUND else column - ROUND
    piece = text[begin : begin + WIDTH]
    front, back = "... " if begin else "", " ..." if begin + WIDTH < len(text) else ""
    if column is not None:
        column += len(front) - begin
    return f"{front}{piece}{back}", column


def first_difference(got: object, wanted: object) -> int | None:
    """Return the place of the first difference of two byte strings, or of two texts."""
    if isinstance(got, bytes) and isinstance(wanted, bytes):
        return _differs(got, wanted)
    if isinstance(got, str) and isinstance(wanted, str):
        return _differs(got, wanted)
    return None


def _differs(got: bytes | str, wanted: bytes | str) -> int:
    same = 0
    while same < min(len(got), len(wanted)) and got[same] == wanted[same]:
        same += 1
    return same
