"""What a learner reads after a check: calm, exact, the same text for the same code.

A grade comes in, text and HTML come out. Signs tell what holds, not colors alone: ✓ holds, ✗ does
not, ○ waits for the learner's code, · was not looked at.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from workbench.exercises.model import Exercise
from workbench.exercises.runner import FAILED, NOT_RUN, PASSED, WAITS, Grade, Result

WIDTH = 92
SIGNS = {PASSED: "✓", FAILED: "✗", WAITS: "○", NOT_RUN: "·"}
MOST_LINES = 5  # of what the code printed
MOST_SHOWN = 3  # problems with their bytes
AFTERWARDS = "Why it works, and what the real servers do"

# (indent, kind, text); the kinds: head, passed, failed, waits, plain, bytes, title, code
Line = tuple[int, str, str]
STYLES = {
    "head": "font-weight:bold",
    "passed": "color:#2b8a3e",
    "failed": "color:#d0433f;font-weight:bold",
    "waits": "color:#888",
    "title": "font-weight:bold;margin-top:8px",
    "bytes": "font-family:monospace;white-space:pre;overflow-x:auto",
    "code": "font-family:monospace;white-space:pre;overflow-x:auto",
}


@dataclass(frozen=True)
class Note:
    """A text to look at, in a terminal by ``print``, in a notebook as the value of a cell."""

    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """The note as text."""
        return self.wrapped(WIDTH)

    def wrapped(self, width: int) -> str:
        """Return the note in lines of at most ``width``; bytes and code stay as they are."""
        return "\n".join(_text(line, width) for line in self.lines)

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f"<div>{''.join(_html(line) for line in self.lines)}</div>"


@dataclass(frozen=True, repr=False)
class Report(Note):
    """The result of a check. ``passed`` when every point holds."""

    passed: bool = False
    begun: bool = True


def note(title: str, text: str) -> Note:
    """Return a text under its title."""
    return Note(((0, "head", title), *paragraphs(text, 0)))


def trouble(text: str) -> Report:
    """Return a report for what could not be looked at: one line."""
    return Report(((0, "plain", text),))


def report(exercise: Exercise, grade: Grade, own_file: bool = True, ask: str = "") -> Report:
    """Write the report.

    ``own_file`` is False for an object from a notebook's cell; ``ask`` is how to ask for a hint.
    """
    begun = grade.begun
    ask = ask or f'hint("{exercise.name}")'
    lines = [(0, "head", _headline(exercise, grade, begun)), *_body(exercise, grade, begun)]
    if not begun and own_file:
        lines.append((0, "plain", f"Write it in exercises/{exercise.file}, then check again."))
    if not grade.passed and begun:
        lines.append((0, "plain", f"For a hint: {ask}"))
    return Report(tuple(lines), grade.passed, begun)


def _headline(exercise: Exercise, grade: Grade, begun: bool) -> str:
    sign = "✓" if grade.passed else "✗" if begun else "○"
    holding = sum(result.state == PASSED for result in grade.results)
    count = f"{holding} of {len(grade.results)} points hold"
    how = "not looked at" if grade.obstacle else count if begun else "not begun"
    return f"{sign} {exercise.name} {exercise.stars}  {exercise.title}: {how}"


def _body(exercise: Exercise, grade: Grade, begun: bool) -> Iterator[Line]:
    if grade.obstacle:
        yield 1, "failed", grade.obstacle
    told: list[Result] = []
    traps: set[str] = set()
    common = _common_exception(grade)
    for result in grade.results:
        yield 1, _kind(result), f"{SIGNS[result.state]} {result.point.label}"
        if result.state == FAILED:
            again = result.problem in [other.problem for other in told]
            yield from _failure(result, told)
            trap = result.point.trap
            elsewhere = result.raised and (again or result.problem == common)
            if trap and trap not in traps and not result.slip and not elsewhere:
                traps.add(trap)
                yield from paragraphs(f"Often: {trap}", 2)
    if any(result.state == NOT_RUN for result in grade.results):
        cause = "the process had ended" if grade.ended else "of what hangs"
        yield 1, "waits", f"({SIGNS[NOT_RUN]} was not looked at, because {cause})"
    if grade.printed and begun:
        yield from _printed(grade)
    if grade.passed:
        yield 0, "plain", ""
        yield 0, "title", f"{AFTERWARDS}:"
        yield from paragraphs(exercise.afterwards, 0)


def _kind(result: Result) -> str:
    return {PASSED: "passed", FAILED: "failed"}.get(result.state, "waits")


def _failure(result: Result, told: list[Result]) -> Iterator[Line]:
    """Write what failed, and add it to what was ``told`` before.

    Bytes stand under the first few, and nothing is said twice.  What people often got wrong is
    another matter: two points may fail in one way for two reasons.
    """
    first = next((other for other in told if other.problem == result.problem), None)
    shown = len(told) < MOST_SHOWN
    if first is not None and (result.raised or result.details == first.details or not shown):
        last = result.problem == told[-1].problem
        bytes_differ = not result.raised and result.details != first.details
        same = f"the same as {'above' if last else f'for: {first.point.label}'}"
        yield 2, "plain", f"{same}, with other bytes" if bytes_differ else same
        return
    yield 2, "plain", result.problem
    if shown:
        for line in result.details:
            yield 2, "bytes", line
        if result.clause and result.clause not in [other.clause for other in told]:
            yield 2, "plain", f"Asked for by {result.clause}."
    told.append(result)


def _common_exception(grade: Grade) -> str:
    """Return the exception that most points end in, "" for none.

    It is no matter of these points, so what people often got wrong there is not about it.
    """
    raised = [result.problem for result in grade.results if result.raised]
    problem = max(raised, key=raised.count, default="")
    often = raised.count(problem)
    return problem if often > 2 and often > len(grade.results) / 2 else ""


def _printed(grade: Grade) -> Iterator[Line]:
    lines = grade.printed.splitlines()
    more = max(grade.lines, len(lines)) - MOST_LINES
    yield 0, "plain", "Your code printed:"
    for line in lines[:MOST_LINES]:
        yield 1, "code", line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
    if more > 0:
        yield 1, "plain", f"... and {more} more line{'s' if more > 1 else ''}"


def paragraphs(text: str, indent: int) -> Iterator[Line]:
    """Yield each paragraph as a line of its own; what is indented is code and stays as it is."""
    for number, part in enumerate(textwrap.dedent(text).strip("\n").split("\n\n")):
        if number:
            yield indent, "plain", ""
        if part.startswith("    "):
            for line in textwrap.dedent(part).splitlines():
                yield indent + 2, "code", line
        elif part.strip():
            yield indent, "plain", " ".join(part.split())


def _text(line: Line, width: int) -> str:
    indent, kind, text = line
    margin = "  " * indent
    if kind in ("bytes", "code"):
        return margin + text
    hang = margin + ("  " if kind in ("passed", "failed", "waits") else "")
    return textwrap.fill(
        text, width, initial_indent=margin, subsequent_indent=hang, break_on_hyphens=False
    )


def _html(line: Line) -> str:
    indent, kind, text = line
    if not text:
        return '<div style="height:0.6em"></div>'
    style = f"margin-left:{1.5 * indent:g}em;{STYLES.get(kind, '')}".rstrip(";")
    return f'<div style="{style}">{html.escape(text)}</div>'
