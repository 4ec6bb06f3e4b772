"""What a parser of request heads promises, and pictures of where parsers disagree.

The subject is a function ``parse(raw)``.  It returns None while the head is incomplete, and then
``(method, target, fields)``: bytes, bytes, and pairs of a name in lower case and a value without
outer blanks, in the order of the wire.  It raises ValueError, or PeerError, for a request that a
careful server refuses.  What stands behind the head is not its business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from handmade.events import ProtocolError

from ..picture import BLUE, GREY, ORANGE, RED, Picture, blank
from . import Broken, case

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Parse = Callable[[bytes], Any]
REFUSED = "refused"

FIRST = b"GET /posts HTTP/1.1\r\n"
HOST = b"Host: board.example\r\n"
PLAIN = FIRST + HOST + b"\r\n"


# ---------------------------------------------------------------- helpers


def request_with(*lines: bytes, first: bytes = FIRST, host: bytes = HOST) -> bytes:
    """Return a request with some field lines more.

    >>> request_with(b"X: yes")
    b'GET /posts HTTP/1.1\\r\\nHost: board.example\\r\\nX: yes\\r\\n\\r\\n'
    """
    return first + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def outcome(parse: Parse, raw: bytes) -> Any:
    """Return what the parser believes: None, REFUSED, or the request with its fields as a list."""
    try:
        found = parse(raw)
    except (ValueError, ProtocolError):
        return REFUSED
    if not (isinstance(found, Sequence) and len(found) == 3):
        return found
    method, target, fields = found
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    return method, target, [tuple(pair) for pair in pairs]


def reads(
    parse: Parse, raw: bytes, *fields: tuple[bytes, bytes], target: bytes = b"/posts"
) -> None:
    """Demand a GET with these fields."""
    wanted = (b"GET", target, list(fields))
    got = outcome(parse, raw)
    if got != wanted:
        raise Broken(
            "the parser does not see this request as it is", sent=raw, got=got, wanted=wanted
        )


def refuses(parse: Parse, raw: bytes, why: str) -> None:
    """Demand that the request is refused: neither taken nor waited for."""
    got = outcome(parse, raw)
    if got != REFUSED:
        what = "waits for more" if got is None else "takes the request"
        raise Broken(f"{why}, yet the parser {what}", sent=raw, got=got, wanted=REFUSED)


# ---------------------------------------------------------------- what must be read


@case("parser", "plain request", "RFC 9112 §3", 2)
def plain_request(parse: Parse) -> None:
    """Method, target and one field are found, the name in lower case."""
    reads(parse, PLAIN, (b"host", b"board.example"))


@case("parser", "no blank after the colon", "RFC 9112 §5", 2)
def no_blank_after_the_colon(parse: Parse) -> None:
    """The blank behind the colon is optional white space; so is one behind the value."""
    raw = request_with(b"X:yes", b"Y: \t no \t")
    reads(parse, raw, (b"host", b"board.example"), (b"x", b"yes"), (b"y", b"no"))


@case("parser", "repeated fields", "RFC 9110 §5.3", 2)
def repeated_fields(parse: Parse) -> None:
    """Lines of one name are all kept, in their order."""
    raw = request_with(b"Tag: red", b"Tag: blue")
    reads(parse, raw, (b"host", b"board.example"), (b"tag", b"red"), (b"tag", b"blue"))


@case("parser", "colon in a value", "RFC 9112 §5", 2)
def colon_in_a_value(parse: Parse) -> None:
    """Only the first colon divides; a value may hold more of them, or nothing."""
    raw = request_with(b"Empty:", host=b"Host: board.example:8000\r\n")
    reads(parse, raw, (b"host", b"board.example:8000"), (b"empty", b""))


@case("parser", "bytes above ASCII", "RFC 9110 §5.5", 2)
def bytes_above_ascii(parse: Parse) -> None:
    """A value may hold bytes above 127; what they mean is not for a parser to decide."""
    raw = request_with(b"Name: Zo\xc3\xab")
    reads(parse, raw, (b"host", b"board.example"), (b"name", b"Zo\xc3\xab"))


@case("parser", "bytes behind the head", "RFC 9112 §2.1", 2)
def bytes_behind_the_head(parse: Parse) -> None:
    """What follows the empty line is a body or the next request, never a field."""
    raw = PLAIN + b"X: yes\r\n\r\nGET /next HTTP/1.1\r\n"
    reads(parse, raw, (b"host", b"board.example"))


@case("parser", "not yet", "RFC 9293 §2.2", 2)
def not_yet(parse: Parse) -> None:
    """However short the beginning of a good request is, the answer is: not yet."""
    raw = request_with(b"X: yes")
    for end in range(1, len(raw)):
        got = outcome(parse, raw[:end])
        if got is not None:
            raise Broken(
                f"{end} of {len(raw)} bytes are here, and the parser does not wait for the rest",
                sent=raw[:end],
                got=got,
            )
    reads(parse, raw, (b"host", b"board.example"), (b"x", b"yes"))


# ---------------------------------------------------------------- what must be refused


@case("parser", "blank before the colon", "RFC 9112 §5.1", 2)
def blank_before_the_colon(parse: Parse) -> None:
    """A blank between name and colon is refused."""
    refuses(parse, request_with(b"Content-Length : 5"), "there is a blank before the colon")
    refuses(parse, request_with(b"Content-Length\t: 5"), "there is a tab before the colon")


@case("parser", "folded line", "RFC 9112 §5.2", 2)
def folded_line(parse: Parse) -> None:
    """A line that begins with a blank, once the continuation of the line before it, is refused."""
    refuses(parse, request_with(b"X: a", b" b"), "a line is folded")
    refuses(parse, request_with(b"X: a", b"\tb"), "a line is folded by a tab")
    refuses(parse, request_with(b"X: a", host=b" Host: x\r\n" + HOST), "the first line is folded")


@case("parser", "bare line feed", "RFC 9112 §2.2", 2)
def bare_line_feed(parse: Parse) -> None:
    """LF without CR ends no line."""
    refuses(parse, request_with(b"X: a\nY: b"), "a line ends in LF alone")
    refuses(parse, PLAIN.replace(b"\r\n", b"\n"), "all lines end in LF alone")


@case("parser", "NUL in a value", "RFC 9110 §5.5", 2)
def nul_in_a_value(parse: Parse) -> None:
    """CR and NUL in a value are dangerous, and refused."""
    refuses(parse, request_with(b"X: a\0b"), "there is a NUL in a value")
    refuses(parse, request_with(b"X: a\rb"), "there is a CR in a value")


@case("parser", "names are tokens", "RFC 9110 §5.1", 2)
def names_are_tokens(parse: Parse) -> None:
    """A line without a name, without a colon, or with a name that is no token is refused."""
    for line in (b"no colon here", b": nameless", b"two words: x", b"na\xefve: x", b"a(b): x"):
        refuses(parse, request_with(line), f"{line!r} is no field line")


@case("parser", "request line", "RFC 9112 §3", 2)
def request_line(parse: Parse) -> None:
    """The first line is a method, one blank, a target, one blank, a version: nothing else."""
    for first in (
        b"GET  /posts HTTP/1.1",
        b"GET /posts",
        b"GET /a b HTTP/1.1",
        b"GET /posts HTTP/1.1 ",
        b"GET /posts http/1.1",
        b"G(T /posts HTTP/1.1",
        b" GET /posts HTTP/1.1",
    ):
        refuses(parse, request_with(first=first + b"\r\n"), f"{first!r} is no request line")


@case("parser", "one Host", "RFC 9112 §3.2", 2)
def one_host(parse: Parse) -> None:
    """HTTP/1.1 has exactly one Host field."""
    refuses(parse, request_with(b"Host: other.example"), "there are two Host fields")
    refuses(parse, request_with(host=b""), "there is no Host field")


@case("parser", "a line without end", "RFC 9112 §3", 2)
def a_line_without_end(parse: Parse) -> None:
    """A request line or a head that never ends is refused, not kept for ever."""
    refuses(parse, b"GET /" + b"a" * 100_000, "the request line is 100,000 bytes long")
    endless = PLAIN[:-2] + b"X: " + b"a" * 1_000_000
    refuses(parse, endless, "the head is a million bytes long, and no end of it is here")


# ---------------------------------------------------------------- pictures of disagreement

LOOKS = {  # sign: (word, colour, hatch)
    "?": ("waits for more", "#E3E3E3", "...."),
    "Y": ("right", "#BFE3D3", ""),
    "x": ("believes something wrong", RED, "xxxx"),
    "!": ("refuses", ORANGE, "////"),
    "-": ("takes it", RED, "xxxx"),
}
PICTURE_INCHES = 8.0


def splits(raw: bytes, parsers: Mapping[str, Parse]) -> Picture:
    """Draw what each parser makes of the first 1, 2, 3 ... bytes of a good request.

    A sign per split point: ``?`` waits, ``Y`` is right, ``x`` believes what was not said, ``!``
    refuses a request in which nothing is wrong.
    """
    whole = [outcome(parse, raw) for parse in parsers.values()]
    rows = {}
    for (name, parse), right in zip(parsers.items(), whole, strict=True):
        outcomes = [outcome(parse, raw[:end]) for end in range(1, len(raw) + 1)]
        rows[name] = "".join(
            _sign(each, right, at) for at, each in enumerate(outcomes, 1 - len(raw))
        )
    width = max(map(len, rows))
    broken = {name: len(row) - row.count("?") - row.count("Y") for name, row in rows.items()}
    text = [f"{name:<{width}}  {row}" for name, row in rows.items()]
    text += [f"{'':<{width}}  ? waits   Y right   x believes something wrong   ! refuses"]
    told = "; ".join(f"{name}: wrong at {number} of {len(raw)}" for name, number in broken.items())
    return Picture(
        draw=lambda: _draw_splits(raw, rows),
        text="\n".join(text),
        alt=f"What each parser makes of a request cut after each of its bytes. {told}.",
    )


def _sign(got: Any, right: Any, missing: int) -> str:
    """Say what an outcome is worth when ``missing`` (negative) bytes are not here yet."""
    if got is None:
        return "?"
    if got == REFUSED:
        return "!"
    return "Y" if got == right and missing == 0 else "x"


def verdicts(requests: Mapping[str, bytes], parsers: Mapping[str, Parse]) -> Picture:
    """Draw which parser refuses which bent request: ``!`` refuses, ``-`` takes, ``?`` waits."""
    table = {
        name: [
            {None: "?", REFUSED: "!"}.get(got if got is None or got == REFUSED else "", "-")
            for got in (outcome(parse, raw) for parse in parsers.values())
        ]
        for name, raw in requests.items()
    }
    width = max(map(len, table))
    heads = [max(len(name), 8) for name in parsers]
    names = "  ".join(f"{name:<{room}}" for name, room in zip(parsers, heads, strict=True))
    words = {"!": "refuses", "-": "TAKES IT", "?": "waits"}
    lines = [f"{'':<{width}}  {names}".rstrip()]
    for name, signs in table.items():
        cells = "  ".join(f"{words[sign]:<{room}}" for sign, room in zip(signs, heads, strict=True))
        lines.append(f"{name:<{width}}  {cells}".rstrip())
    told = "; ".join(
        f"{name} takes {sum(signs[column] == '-' for signs in table.values())} of {len(table)}"
        for column, name in enumerate(parsers)
    )
    return Picture(
        draw=lambda: _draw_verdicts(table, list(parsers)),
        text="\n".join(lines),
        alt=f"Which reader refuses which bent request. {told}.",
    )


def _draw_splits(raw: bytes, rows: Mapping[str, str]) -> Figure:
    figure = blank(0.55 * len(rows) + 1.1, PICTURE_INCHES)
    axes: Any = figure.subplots()
    for y, row in enumerate(rows.values()):
        for sign, start, end in _runs(row):
            _cell(axes, start + 0.5, y, end - start, sign)
    axes.set_xlim(0.5, len(raw) + 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), list(rows))
    ends = [match + 2 for match in range(len(raw)) if raw[match : match + 2] == b"\r\n"]
    axes.set_xticks([1, *ends])
    axes.set_xlabel("bytes that have come; a number stands where a line is complete")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    _legend(figure, "".join(rows.values()))
    return figure


def _draw_verdicts(table: Mapping[str, Sequence[str]], names: Sequence[str]) -> Figure:
    figure = blank(0.36 * len(table) + 0.9, PICTURE_INCHES)
    axes: Any = figure.subplots()
    for y, signs in enumerate(table.values()):
        for x, sign in enumerate(signs):
            # Here a refusal is what is right, so it has the look of that.
            _cell(axes, x - 0.48, y, 0.96, "Y" if sign == "!" else sign, 0.84)
            word = {"!": "refuses", "-": "takes it", "?": "waits"}[sign]
            ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            axes.text(x, y, word, ha="center", va="center", fontsize=9, bbox=ground)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.set_xticks(range(len(names)), names)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(table)), list(table))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


def _runs(row: str) -> Iterable[tuple[str, int, int]]:
    """Yield each run of equal signs as (sign, start, end)."""
    start = 0
    for end in range(1, len(row) + 1):
        if end == len(row) or row[end] != row[start]:
            yield row[start], start, end
            start = end


def _cell(axes: Any, x: float, y: float, width: float, sign: str, height: float = 0.62) -> None:
    from matplotlib.patches import Rectangle

    _, face, hatch = LOOKS[sign]
    axes.add_patch(
        Rectangle(
            (x, y - height / 2), width, height, facecolor=face, hatch=hatch,
            edgecolor="white" if hatch and face == RED else GREY, linewidth=0.6,
        )
    )  # fmt: skip


def _legend(figure: Figure, signs: str) -> None:
    from matplotlib.patches import Patch

    looks = [LOOKS[sign] for sign in "?Yx!" if sign in signs]
    patches = [
        Patch(facecolor=face, hatch=hatch, edgecolor=GREY, linewidth=0.6, label=word)
        for word, face, hatch in looks
    ]
    figure.legend(handles=patches, loc="outside upper left", ncols=len(patches))


# ---------------------------------------------------------------- one stream, several opinions

OPINION_LOOKS = (("#DCEAF4", ""), ("#FBEBCB", "////"), ("#CFE9DE", "...."))
LINE_INCHES, CHARACTER_INCHES = 0.27, 0.078


def opinions(raw: bytes, ends: Mapping[str, Sequence[int]], waits: str = "kept back") -> Picture:
    """Draw one stream of bytes, and beside it which request each reader takes each byte for.

    ``ends`` are the places where a reader believes that a request ends; behind the last of them
    stand bytes that it keeps back, for they are no whole request.
    """
    from ..wire_dump import visible

    places = sorted({0, len(raw), *(end for each in ends.values() for end in each)})
    cuts = sorted({*places, *(at + 1 for at, byte in enumerate(raw) if byte == 10)})
    pieces = [(start, end) for start, end in pairwise(cuts) if end > start]
    lines = [visible(raw[start:end]) for start, end in pieces]
    table = {
        name: [sum(end <= start for end in each) for start, _ in pieces]
        for name, each in ends.items()
    }
    words = {
        name: [f"request {number + 1}" if number < len(ends[name]) else waits for number in numbers]
        for name, numbers in table.items()
    }
    width = max(map(len, lines))
    rooms = {name: max(len(name), *map(len, column)) for name, column in words.items()}
    text = [f"{'':<{width}}  " + "  ".join(f"{name:<{rooms[name]}}" for name in words)]
    for row, line in enumerate(lines):
        cells = "  ".join(f"{column[row]:<{rooms[name]}}" for name, column in words.items())
        text.append(f"{line:<{width}}  {cells}")
    told = "; ".join(f"{name} sees {len(each)}" for name, each in ends.items())
    return Picture(
        draw=lambda: _draw_opinions(lines, table, words),
        text="\n".join(line.rstrip() for line in text),
        alt=f"One stream of {len(raw)} bytes, read by {len(ends)} readers. Requests: {told}.",
    )


def _draw_opinions(
    lines: Sequence[str], table: Mapping[str, Sequence[int]], words: Mapping[str, Sequence[str]]
) -> Figure:
    from matplotlib.patches import Rectangle

    from ..picture import sheet

    left = max(map(len, lines)) * CHARACTER_INCHES + 0.4
    column = 1.45
    axes = sheet(0.5 + len(lines) * LINE_INCHES, left + column * len(table) + 0.1)
    for row, line in enumerate(lines):
        y = 0.42 + (row + 0.5) * LINE_INCHES
        axes.text(0.15, y, line, family="DejaVu Sans Mono", fontsize=9, va="center", color=BLUE)
    for number, (name, owners) in enumerate(table.items()):
        x = left + number * column
        axes.text(x + column / 2, 0.22, name, ha="center", va="center", weight="bold")
        for start, end in _blocks(owners):
            face, hatch = OPINION_LOOKS[owners[start] % len(OPINION_LOOKS)]
            y, height = 0.42 + start * LINE_INCHES, (end - start) * LINE_INCHES
            axes.add_patch(
                Rectangle(
                    (x + 0.06, y + 0.02), column - 0.12, height - 0.04, facecolor=face,
                    hatch=hatch, edgecolor=GREY, linewidth=1.0,
                )
            )  # fmt: skip
            ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.2}
            axes.text(
                x + column / 2, y + height / 2, words[name][start], ha="center", va="center",
                fontsize=9, bbox=ground,
            )  # fmt: skip
    figure: Figure = axes.figure
    return figure


def _blocks(owners: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Yield each run of equal numbers as (start, end)."""
    start = 0
    for end in range(1, len(owners) + 1):
        if end == len(owners) or owners[end] != owners[start]:
            yield start, end
            start = end


# ---------------------------------------------------------------- a law of growth


def growth(measured: Mapping[str, Mapping[int, float]], what: str) -> Picture:
    """Draw seconds against size, one line each, on a scale where a step is a factor of ten."""
    names = " and ".join(measured)
    rows = [f"{name:<12}" + "".join(_time(each[size]) for size in each) for name, each in
            measured.items()]  # fmt: skip
    sizes = next(iter(measured.values()))
    text = [f"{what:<12}\n{'':<12}" + "".join(f"{size:>14}" for size in sizes), *rows]
    return Picture(
        draw=lambda: _draw_growth(measured, what),
        text="\n".join(text),
        alt=f"Seconds for {names} against the number of {what}, on a logarithmic scale.",
    )


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:>11.1f} µs"


def _draw_growth(measured: Mapping[str, Mapping[int, float]], what: str) -> Figure:
    figure = blank(2.9, PICTURE_INCHES * 0.85)
    axes: Any = figure.subplots()
    looks = ((RED, "s", "-"), (BLUE, "o", "--"), (GREY, "D", ":"))
    for (name, each), (colour, marker, style) in zip(measured.items(), looks, strict=False):
        micros = [seconds * 1e6 for seconds in each.values()]
        axes.plot(list(each), micros, color=colour, marker=marker, linestyle=style, label=name)
        axes.annotate(
            name, (list(each)[-1], micros[-1]), (8, 0), textcoords="offset points", va="center",
            color=colour,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.set_xlabel(what)
    axes.set_ylabel("µs (a step is ten times)")
    axes.margins(x=0.12)
    return figure
