"""The exercises of chapter 2: one field line by its grammar, the right status for what is bent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.contracts import Broken
from workbench.contracts.parser import FIRST, HOST, PLAIN, request_with
from workbench.exercises.model import Exercise, Point, handing

LINE, HEAD = 8190, 65536  # the limits in the file of status-for-bent

# --- field-line -------------------------------------------------------------------------------


def is_read(line: bytes, name: bytes, value: bytes) -> Callable[[Any], None]:
    """Return a check: this line has this name and this value."""

    def run(field_line: Any) -> None:
        wanted = (name, value)
        with handing(line):
            got = field_line(line)
        if got != wanted:
            raise Broken("name and value are not right", sent=line, got=got, wanted=wanted)

    return run


def are_read(*lines: tuple[bytes, bytes, bytes]) -> Callable[[Any], None]:
    """Return a check of several lines."""

    def run(field_line: Any) -> None:
        for line in lines:
            is_read(*line)(field_line)

    return run


def are_refused(*lines: bytes) -> Callable[[Any], None]:
    """Return a check: none of these is a field line."""

    def run(field_line: Any) -> None:
        for line in lines:
            try:
                with handing(line):
                    got = field_line(line)
            except ValueError:
                continue
            raise Broken(f"{line!r} is no field line: ValueError is wanted", sent=line, got=got)

    return run


FIELD_LINE = Exercise(
    name="field-line",
    chapter=2,
    title="Read one field line",
    effort=1,
    subject="field_line",
    points=(
        Point(
            "name and value",
            is_read(b"Host: board.example", b"host", b"board.example"),
            "leaving the name as it came. Names have no case, so everybody who looks one up wants "
            "it in one form.",
            "RFC 9110 §5.1",
        ),
        Point(
            "blanks around the value are optional",
            are_read((b"X:yes", b"x", b"yes"), (b"X: \t yes \t", b"x", b"yes"), (b"X:", b"x", b"")),
            "cutting at ': ' with its blank. The blank is usual, not required, and there may be "
            "more of them, and tabs, on both sides.",
            "RFC 9112 §5",
        ),
        Point(
            "all that a name and a value may hold",
            are_read(
                (b"X.Y~: Gr\xc3\xbc\xc3\x9fe", b"x.y~", b"Gr\xc3\xbc\xc3\x9fe"),
                (b"!#$%&'*+-.^_`|~09AZaz:a\tB", b"!#$%&'*+-.^_`|~09azaz", b"a\tB"),
                (b"Host: Board.Example", b"host", b"Board.Example"),
            ),
            "a class of your own where the grammar has one: a token has fifteen signs beside "
            "letters and digits, a value any byte above 127, and tabs. Or lowering the value "
            "with the name: it is what the client wrote.",
            "RFC 9110 §5.5 and §5.6.2",
        ),
        Point(
            "only the first colon divides",
            is_read(b"Host: board.example:8000", b"host", b"board.example:8000"),
            "cutting at every colon. A value may hold as many as it likes.",
            "RFC 9112 §5",
        ),
        Point(
            "a blank before the colon is refused",
            are_refused(b"Content-Length : 5", b"Content-Length\t: 5", b" Host: a", b"\tfolded"),
            "being kind: strip() on the name repairs what must be refused, and a match without "
            "fullmatch never looks at the blank. Two servers that repair it differently can be "
            "played against each other.",
            "RFC 9112 §5.1",
        ),
        Point(
            "a name is a token",
            are_refused(b"two words: a", b": a", b"no colon", b"a(b): c", b"na\xc3\xafve: a", b""),
            "looking for a colon and nothing else. What stands before it is made of the fifteen "
            "signs, the digits and the letters of a token, one at least.",
            "RFC 9110 §5.6.2",
        ),
        Point(
            "no control character in a value",
            are_refused(b"X: a\0b", b"X: a\rb", b"X: a\nb", b"X: a\x0b", b"X: \x0ca", b"X: a\x7f"),
            "stripping first and looking afterwards: strip() without an argument takes vertical "
            "tabs and line ends away before anybody has seen them. Look first. Or match, which "
            "is content with a beginning, where fullmatch is meant.",
            "RFC 9110 §5.5",
        ),
        Point(
            "nothing behind the value",
            are_refused(b"X: a\r\nEvil: b", b"X: a\r\n", b"X: a\n", b"X:\n"),
            "a pattern that stops before the line does. match looks at a beginning, and $ is also "
            "content before a last line feed; fullmatch looks at all of it. Whoever adds a CRLF "
            "to the line, to use FIELD_LINE, lets the one inside of it do the work.",
            "RFC 9112 §5",
        ),
    ),
    hints=(
        "Write down what a field line may be, instead of what it may not be. The grammar module "
        "has the two halves.",
        "grammar.TOKEN and grammar.FIELD_VALUE are patterns in bytes: put a colon between them, "
        "each half in a group, compile that, and use fullmatch.",
        """
        The pattern and what is left to do with a match:

            LINE = re.compile(b"(" + grammar.TOKEN + b"):(" + grammar.FIELD_VALUE + b")")

        No match is a ValueError. The name goes to lower case; of the value, blanks and tabs (and
        nothing else) are stripped from both ends.
        """,
    ),
    afterwards="""
        A pattern of what is allowed has refused tricks that you never thought of, and you wrote no
        line for any of them.

        Gunicorn reads a line in the same order: it cuts at the first colon, demands a token before
        it (its TOKEN_RE, with fullmatch), strips blanks and tabs, and then looks for control
        characters in the value. A folded line is refused unless the setting permit_obsolete_folding
        says otherwise, and a setting strip_header_spaces would repair blanks before the colon; both
        carry a warning, and both are off.

        h11, under one of Uvicorn's HTTP/1.1 protocols, has one regular expression for a line.
        It joins folded lines before, which RFC 9112 §5.2 allows, and keeps control characters other
        than NUL and white space in values.
        """,
    seconds=3.0,
)

# --- status-for-bent --------------------------------------------------------------------------


def gets(status: int | None, *requests: bytes, clause: str | None = None) -> Callable[[Any], None]:
    """Return a check: each of these requests gets this status.

    ``clause`` is who demands it, where that is not the one of the point.
    """

    def run(status_for: Any) -> None:
        for data in requests:
            with handing(shortened(data)):
                got = status_for(data)
            if got != status:
                size = f" ({len(data)} bytes)" if len(data) > 400 else ""
                raise Broken(
                    f"{status} is wanted here, and {got} came{size}", sent=shortened(data),
                    got=repr_of(got), wanted=repr_of(status), clause=clause,
                )  # fmt: skip

    return run


def stays(*requests: bytes) -> Callable[[Any], None]:
    """Return a check: wherever these are cut, a status once given is the answer to all of it."""

    def run(status_for: Any) -> None:
        for data in requests:
            given, at = None, 0
            for end in cuts(data):
                with handing(shortened(data[:end])):
                    got = status_for(data[:end])
                if given is not None and got != given:
                    raise Broken(
                        f"a status once given stays, yet the first {at} bytes got {given}, and "
                        f"the first {end} get {got}",
                        sent=shortened(data[:end]),
                    )
                given, at = got, end

    return run


def cuts(data: bytes) -> list[int]:
    """Return where to cut: everywhere at first, then around the limits and the end."""
    near = {at + step for at in (LINE, HEAD, len(data)) for step in range(-4, 5)}
    return sorted(end for end in {*range(1, 80), *near} if 0 < end <= len(data))


def shortened(data: bytes) -> bytes:
    """Return bytes to show, a long run in the middle left out."""
    return data if len(data) <= 400 else data[:60] + b"..." + data[-20:]


def repr_of(status: object) -> object:
    """Return a status to show: None would be taken for nothing to show."""
    return "None, for not yet" if status is None else status


def all_of(*runs: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a check that makes several."""

    def run(subject: Any) -> None:
        for each in runs:
            each(subject)

    return run


def versioned(version: bytes, host: bytes = HOST) -> bytes:
    """Return our request with another version."""
    return request_with(first=FIRST.replace(b"HTTP/1.1", b"HTTP/" + version), host=host)


def with_line_of(size: int, blank: bytes = b" ", end: bytes = b"\r\n") -> bytes:
    """Return a request whose first line has this size, without what ends it."""
    filler = b"a" * (size - len(b"GET/ HTTP/1.1" + blank))
    return request_with(first=b"GET" + blank + b"/" + filler + b" HTTP/1.1" + end)


def with_head_of(size: int, name: bytes = b"X", end: bytes = b"") -> bytes:
    """Return a request whose head has this size, in one long field."""
    line = name + b": "
    return request_with(line + b"a" * (size - len(request_with(line + end))) + end)


STATUS_FOR_BENT = Exercise(
    name="status-for-bent",
    chapter=2,
    title="The right status for a bent request",
    effort=2,
    subject="status_for",
    points=(
        Point(
            "a good head is 200",
            gets(200, PLAIN, request_with(b"X:yes", b"Tag: a", b"Tag: b"), PLAIN + b"\0\n\0"),
            "looking at bytes behind the empty line: they are a body, or the next request.",
            "RFC 9112 §2.1",
        ),
        Point(
            "half a head is None",
            gets(None, *(PLAIN[:end] for end in range(1, len(PLAIN)))),
            "taking 'no match' for 'never'. Until the empty line has come, most heads do not match "
            "yet.",
            "RFC 9112 §2.2",
        ),
        Point(
            "what breaks the grammar is 400",
            all_of(
                gets(400, request_with(b"Content-Length : 5"), clause="RFC 9112 §5.1"),
                gets(400, request_with(b"X: a", b" b"), clause="RFC 9112 §5.2"),
                gets(400, request_with(b"X: a\0b"), clause="RFC 9110 §5.5"),
                gets(400, PLAIN.replace(b" /", b"  /"), PLAIN.replace(b" HTTP/1.1", b"")),
            ),
            "taking a head apart with split(), which finds something in anything.",
            "RFC 9112 §3",
        ),
        Point(
            "what can never become a head is 400 at once",
            gets(400, PLAIN.replace(b"\r\n", b"\n"), FIRST + b"Host: a\nX: b\r\n"),
            "waiting for an empty line that cannot come. A line feed without its carriage return "
            "ends no line; whoever sends it may never send \\r\\n\\r\\n.",
            "RFC 9112 §2.2",
        ),
        Point(
            "one Host, in HTTP/1.1",
            all_of(
                gets(400, request_with(host=b""), request_with(b"host: other.example")),
                gets(400, request_with(host=b"Hostess: board.example\r\n")),
                gets(200, request_with(b"Hostess: other.example")),
                gets(200, versioned(b"1.0", host=b"")),
                gets(400, versioned(b"1.0", host=HOST + HOST)),
            ),
            "one rule for all versions. HTTP/1.1 needs exactly one; HTTP/1.0 had none at first, "
            "and two are wrong anywhere. Or comparing the beginning of a name.",
            "RFC 9112 §3.2",
        ),
        Point(
            "another version is 505",
            all_of(
                gets(505, versioned(b"2.0"), versioned(b"3.0"), versioned(b"0.9")),
                gets(200, versioned(b"1.2"), versioned(b"1.9")),
            ),
            "one status for everything. 505 says: well said, but not my language. And a higher "
            "minor version is served as the one we know.",
            "RFC 9110 §15.6.6",
        ),
        Point(
            "a line over the limit is 414",
            gets(414, b"GET /" + b"a" * 9000, b"GET /" + b"a" * 9000 + FIRST[10:] + HOST + b"\r\n"),
            "asking about lengths when all has come. A line that never ends never has; count what "
            "is here.",
            "RFC 9112 §3",
        ),
        Point(
            "a head over the limits is 431",
            all_of(
                gets(
                    431,
                    PLAIN[:-2] + b"X: " + b"a" * 70_000,
                    request_with(*[b"X: yes"] * 100),
                    request_with(b"X: " + b"a" * 70_000),
                ),
                gets(200, request_with(*[b"X: yes"] * 99)),
            ),
            "counting bytes and forgetting fields, or the other way round. 101 short fields are "
            "too many, Host among them, and one of 70,000 bytes is too long. A hundred fields are "
            "not *more than* FIELDS.",
            "RFC 6585 §5",
        ),
        Point(
            "the same status however it is cut",
            all_of(
                gets(200, with_line_of(LINE), with_head_of(HEAD)),
                gets(414, with_line_of(LINE + 1)),
                gets(431, with_head_of(HEAD + 1)),
                stays(
                    with_line_of(LINE),
                    with_head_of(HEAD),
                    PLAIN + b"\n" * 70_000,
                    PLAIN.replace(b"\r\n", b"\n") + b"x" * 9000,
                    with_line_of(9000, end=b"\n"),
                    with_line_of(9000, blank=b"  "),
                    with_head_of(70_000, end=b"\nY: b"),
                    with_head_of(70_000, name=b"X "),
                ),
            ),
            "looking further than the answer reaches. LINE + 2 bytes decide about the first line "
            "(a line of just LINE bytes may lack its LF, and the CR is not counted), HEAD bytes "
            "about the head. What comes behind them must change nothing.",
            "RFC 9112 §2.2",
        ),
    ),
    hints=(
        "In which order do your questions have to come, so that the answer for 9,000 bytes "
        "without a line's end is not None?",
        "First what can be said of any beginning: a bare LF, a line too long, a head too long. "
        "Then: is the empty line here? Only then the grammar, and after the grammar its meaning: "
        "the number of fields, the version, the Hosts. Give each question its window: the first "
        "LINE + 2 bytes for the line, the first HEAD bytes for the head.",
        """
        data.find gives both ends, -1 where there is none yet; its last argument is the window:

            line_end = data.find(b"\\r\\n", 0, LINE + 2)
            end = data.find(b"\\r\\n\\r\\n", 0, HEAD)

        While the first line has no end, look at data[:LINE + 2] alone: a bare LF in it is 400, and
        if it is full, 414. Else look at the head, or at data[:HEAD]: a bare LF is 400, and if there
        is no end and the window is full, 431. grammar.BARE_LF.search finds a bare LF.
        grammar.HEAD.match has the version in group 3 and the block of fields in group 4;
        grammar.split_fields cuts that.
        """,
    ),
    afterwards="""
        The order is the design: what can be said of a beginning comes before what needs the whole,
        and form before meaning. And each question has a window that later bytes do not change. So a
        request gets the same status however it was cut.

        Gunicorn's Python parser goes the same way: it counts while it reads, refuses a bare LF
        before the empty line has come, and answers 414 for the line, 431 for the head or too many
        fields, 501 for a transfer coding it does not know, 417 for an expectation. An unknown
        version is a plain 400 there.

        h11 raises RemoteProtocolError with a status as a hint, 400 unless it knows better; in
        Uvicorn that becomes the log line "Invalid HTTP request received.".
        """,
    seconds=3.0,
)

EXERCISES = (FIELD_LINE, STATUS_FOR_BENT)
