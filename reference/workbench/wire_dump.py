"""Bytes on the wire, made visible: one row per line, CR and LF as signs, offsets, labels.

Bytes come in, rows come out, and from them a text and an HTML table that any viewer shows. What a
field such as Authorization holds is never shown: a hub in between may have put a learner's own
token there.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

HIDDEN = "<hidden>"
_SECRETS = re.compile(
    rb"(?im)^(?:proxy-)?authorization[ \t]*:[ \t]*([^\r\n]+)"
    rb"|(?:jupyterhub-[\w.-]+|_xsrf|username-[\w.-]+)=([^;\r\n]+)"
)
_LINES = re.compile(rb"[^\n]*\n|[^\n]+")
_SIGNS = {9: "\\t", 10: "\\n", 13: "\\r", 92: "\\\\"}

MONO = "font-family:monospace;text-align:left;white-space:pre;padding:0 8px"
QUIET = "color:#666;text-align:right;padding:0 8px"


class Row(NamedTuple):
    """One row of a dump. ``marked`` are places in ``text``, as (start, end)."""

    offset: int
    text: str
    label: str = ""
    marked: tuple[tuple[int, int], ...] = ()


Spans = list[tuple[int, int]]


def secret_spans(data: bytes) -> Spans:
    """Find what must not be shown, as (start, end)."""
    return [match.span(match.lastindex or 0) for match in _SECRETS.finditer(data)]


def hidden(data: bytes) -> bytes:
    """Return ``data`` with its secrets replaced, for a label that shows the beginning of it."""
    for start, end in reversed(secret_spans(data)):
        data = data[:start] + HIDDEN.encode() + data[end:]
    return data


def visible(data: bytes) -> str:
    """Write bytes as text: what is not printable ASCII becomes an escape."""
    return "".join(
        _SIGNS.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in data
    )


@dataclass(frozen=True)
class Dump:
    """Rows to look at, as text and as an HTML table."""

    rows: Sequence[Row]

    def __repr__(self) -> str:
        number = max([len(str(row.offset)) for row in self.rows], default=1)
        labelled = [len(row.text) for row in self.rows if row.label]
        width = max(labelled, default=0)
        return "\n".join(line for row in self.rows for line in _text_lines(row, number, width))

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="{QUIET}">{row.offset}</td><td style="{MONO}">{_html_text(row)}</td>'
            f'<td style="text-align:left">{html.escape(row.label)}</td></tr>'
            for row in self.rows
        )
        return f"<table>{rows}</table>"


def _text_lines(row: Row, number: int, width: int) -> Iterable[str]:
    label = f"  <- {row.label}" if row.label else ""
    yield f"{row.offset:>{number}}  {row.text.ljust(width) if label else row.text}{label}"
    if row.marked:
        signs = [" "] * max(end for _, end in row.marked)
        for start, end in row.marked:
            signs[start:end] = "^" * (end - start)
        yield f"{'':>{number}}  {''.join(signs)}"


def _html_text(row: Row) -> str:
    parts, done = [], 0
    for start, end in row.marked:
        parts += [html.escape(row.text[done:start])]
        parts += [f"<b><u>{html.escape(row.text[start:end])}</u></b>"]
        done = end
    text = "".join([*parts, html.escape(row.text[done:])])
    # Line ends are there to be seen, but not to be read.
    return re.sub(r"((?:\\r)?\\n(?:</u></b>)?)$", r'<span style="color:#999">\1</span>', text)


def raw(
    data: bytes,
    labels: Mapping[int | bytes, str] | None = None,
    mark: bytes | Sequence[tuple[int, int]] = (),
    *,
    form: str = "",
    width: int = 76,
) -> Dump:
    r"""Show bytes line by line, with the offset of each line's first byte.

    ``labels`` puts a word beside the line that has a given offset or that begins with given bytes.
    ``mark`` underlines bytes wherever they occur, or the given stretches (start, end). ``form`` is
    "lines" or "hex"; without it, bytes that are mostly no text are shown as hex.

    >>> raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", {b"Host": "exactly one"})
     0  GET / HTTP/1.1\r\n
    16  Host: a\r\n  <- exactly one
    25  \r\n
    """
    spans = _marked(data, mark)
    form = form or ("lines" if _is_text(data) else "hex")
    if form == "hex":
        for start, end in secret_spans(data):
            data = data[:start] + b"*" * (end - start) + data[end:]
        return Dump([_hex_row(data, at, labels or {}) for at in range(0, len(data), 16)])
    secrets = secret_spans(data)
    pieces = [(at, data[at:end]) for at, end in _cut(data, width)]
    return Dump([_row(data, at, piece, labels or {}, spans, secrets) for at, piece in pieces])


def _is_text(data: bytes) -> bool:
    strange = sum(byte not in b"\t\r\n" and not 32 <= byte < 127 for byte in data)
    return strange * 4 <= len(data)


def _marked(data: bytes, mark: bytes | Sequence[tuple[int, int]]) -> Spans:
    if isinstance(mark, bytes):
        return [match.span() for match in re.finditer(re.escape(mark), data)] if mark else []
    return list(mark)


def _cut(data: bytes, width: int) -> Iterable[tuple[int, int]]:
    """Cut after each LF, and where a line is longer than ``width``."""
    for match in _LINES.finditer(data):
        at, stop = match.span()
        while at < stop:
            end = min(at + width, stop)
            if not data[end:stop].strip(b"\r\n"):
                end = stop
            yield at, end
            at = end


def _row(
    data: bytes, at: int, piece: bytes, labels: Mapping[int | bytes, str], spans: Spans,
    secrets: Spans,
) -> Row:  # fmt: skip
    """Write one line. Where a byte takes several signs, all of them are marked."""
    text = ""
    marked: Spans = []
    for place in range(at, at + len(piece)):
        if any(start <= place < end for start, end in secrets):
            first = place == at or any(place == start for start, _ in secrets)
            sign = HIDDEN if first else ""
        else:
            sign = visible(data[place : place + 1])
        if sign and any(start <= place < end for start, end in spans):
            joined = marked and marked[-1][1] == len(text)
            start = marked.pop()[0] if joined else len(text)
            marked.append((start, len(text) + len(sign)))
        text += sign
    return Row(at, text, _label(at, piece, labels), tuple(marked))


def _label(at: int, piece: bytes, labels: Mapping[int | bytes, str]) -> str:
    found = [
        text
        for key, text in labels.items()
        if (piece.startswith(key) if isinstance(key, bytes) else at <= key < at + len(piece))
    ]
    return ", ".join(found)


def _hex_row(data: bytes, at: int, labels: Mapping[int | bytes, str]) -> Row:
    piece = data[at : at + 16]
    digits = piece[:8].hex(" ") + "  " + piece[8:].hex(" ")
    signs = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)
    return Row(at, f"{digits:<48}  {signs}", _label(at, piece, labels))


# --- Both directions --------------------------------------------------------------------------

SIDES = {"client": "C", "server": "S", "C": "C", "S": "S", ">": "C", "<": "S"}


@dataclass(frozen=True)
class Dialogue:
    """What client and server said, in order; a row with no side is a remark."""

    rows: Sequence[tuple[str, str]]

    def __repr__(self) -> str:
        return "\n".join(f"{side}: {text}" if side else f"   ({text})" for side, text in self.rows)

    def _repr_html_(self) -> str:
        rows = "".join(_said(side, html.escape(text)) for side, text in self.rows)
        head = "<tr><th>client</th><th></th><th>server</th></tr>"
        return f"<table>{head}{rows}</table>"


def _said(side: str, text: str) -> str:
    cell = f'<td style="{MONO}">'
    if side == "C":
        return f"<tr>{cell}{text}</td><td>&rarr;</td><td></td></tr>"
    if side == "S":
        return f"<tr><td></td><td>&larr;</td>{cell}{text}</td></tr>"
    return f'<tr><td colspan="3"><i>{text}</i></td></tr>'


def dialogue(turns: Iterable[tuple[str, bytes] | str], width: int = 76) -> Dialogue:
    r"""Show who said what: pairs of "client" or "server" and bytes; a plain string is a remark.

    >>> dialogue([("client", b"GET / HTTP/1.1\r\n\r\n"), "and waits", ("server", b"HTTP/1.1 400")])
    C: GET / HTTP/1.1\r\n
    C: \r\n
       (and waits)
    S: HTTP/1.1 400
    """
    turns = list(turns)
    # A secret may be cut in two by a split between pieces: look at each side as one stream.
    streams = {"C": b"", "S": b""}
    for turn in turns:
        if not isinstance(turn, str):
            streams[SIDES[turn[0]]] += turn[1]
    secrets = {side: secret_spans(stream) for side, stream in streams.items()}
    done = {"C": 0, "S": 0}
    rows: list[tuple[str, str]] = []
    for turn in turns:
        if isinstance(turn, str):
            rows.append(("", turn))
            continue
        side, data = SIDES[turn[0]], turn[1]
        shift = done[side]
        own = [(start - shift, end - shift) for start, end in secrets[side]]
        cuts = _cut(data, width)
        rows += [(side, _row(data, at, data[at:end], {}, [], own).text) for at, end in cuts]
        done[side] += len(data)
    return Dialogue(rows)
