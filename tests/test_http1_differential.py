"""The same bytes to our engine, to h11 behind our surface, and to h11 as it is.

Every difference must fall under a named reason, and every named reason must occur: a table of
excuses that excuse nothing would be the worst kind of documentation.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h11
import pytest
from corpus_files import load_invalid, load_valid

from handmade import http1, http1_h11
from handmade.events import Data, End, Limits, Request
from workbench.contracts.engine import read_until_error, request_of

CHUNKED = (b"Transfer-Encoding", b"chunked")
KEEP = (b"Connection", b"keep-alive")
TWO_10 = request_of(b"GET", b"/1", KEEP, version=b"1.0") + request_of(b"GET", b"/2", version=b"1.0")


def post(*fields: tuple[bytes, bytes], body: bytes = b"") -> bytes:
    return request_of(b"POST", b"/", *fields, body=body)


EXTRA = [
    TWO_10,
    post((b"Content-Length", b"5"), (b"Content-Length", b"5"), body=b"hello"),
    post((b"Content-Length", b"5, 5"), body=b"hello"),
    post((b"Content-Length", b"9" * 30), body=b"hello"),
    post(CHUNKED, body=b"1" * 30 + b"\r\nhello"),
    post(CHUNKED, body=b"2 ;a=b\r\nhi\r\n0\r\n\r\n"),
    post((b"Transfer-Encoding", b"chunked,"), body=b"0\r\n\r\n"),
    request_of(b"GET", b"/", (b"X", b"\x01")),
    request_of(b"GET", b"/", (b"Expect", b"100-continue, 100-continue")),
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\n",
]
FILES = [*(file.raw for file in load_valid()), *(file.raw for file in load_invalid())]


@dataclass
class Outcome:
    """What a parser made of bytes: complete requests, and the status by which it refused."""

    requests: list[Any]
    status: int | None


def by_engine(make: Callable[[], Any], raw: bytes) -> Outcome:
    events, error = read_until_error(make(), raw, eof=True)
    found: list[list[Any]] = []
    for event in events:
        if isinstance(event, Request):
            facts = event.method, event.target, event.version, tuple(event.fields)
            found.append([*facts, b"", None])
        elif isinstance(event, Data):
            found[-1][4] += event.data
        elif isinstance(event, End):
            found[-1][5] = tuple(event.trailers)
    return Outcome([one for one in found if one[5] is not None], error and error.status)


def by_plain_h11(raw: bytes) -> Outcome:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(raw)
    connection.receive_data(b"")
    found: list[list[Any]] = []
    try:
        while not isinstance(event := connection.next_event(), h11.ConnectionClosed):
            if isinstance(event, h11.Request):
                facts = event.method, event.target, event.http_version, tuple(event.headers)
                found.append([*map(bytes, facts[:3]), facts[3], b"", None])
            elif isinstance(event, h11.Data):
                found[-1][4] += event.data
            elif isinstance(event, h11.EndOfMessage):
                found[-1][5] = tuple(event.headers)
                connection.send(h11.Response(status_code=404, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
                    break
                connection.start_next_cycle()
            else:
                break
    except h11.RemoteProtocolError as error:
        return Outcome([one for one in found if one[5] is not None], error.error_status_hint)
    return Outcome([one for one in found if one[5] is not None], None)


# ---------------------------------------------------------------- the reasons


def matches(pattern: bytes) -> Callable[[bytes, Outcome, Outcome], bool]:
    compiled = re.compile(pattern, re.IGNORECASE | re.DOTALL)
    return lambda raw, ours, theirs: compiled.search(raw) is not None


def refused_by_us(*statuses: int) -> Callable[[bytes, Outcome, Outcome], bool]:
    return lambda raw, ours, theirs: ours.status in statuses


def values_of(raw: bytes, name: bytes) -> list[bytes]:
    return re.findall(rb"(?im)^" + name + rb":[ \t]*([^\r\n]*?)[ \t]*\r?$", raw)


FOUND_BY: dict[str, Callable[[bytes, Outcome, Outcome], bool]] = {
    "equal lengths": lambda raw, ours, theirs: (
        ours.status == 400 and len(b",".join(values_of(raw, b"content-length")).split(b",")) > 1
    ),
    "long numbers": matches(rb"content-length:[ \t]*[0-9]{21}|\n[0-9a-f]{21}"),
    "transfer codings": lambda raw, ours, theirs: (
        any(value != b"chunked" for value in values_of(raw, b"transfer-encoding"))
        or len(values_of(raw, b"transfer-encoding")) > 1
    ),
    "control characters": matches(rb":[^\r\n]*[\x01-\x08\x0e-\x1f\x7f]"),
    "fragment": matches(rb"(^|\r\n)[^ \r\n]+ [^ \r\n]*#"),
    "1.0 keep-alive": matches(rb"HTTP/1\.0\r\n.*keep-alive"),
    "chunk extension": matches(rb"chunked.*\n[0-9a-f]+(?![ \t]+;)[^\r\n]*;"),
    "chunk blank": matches(rb"chunked.*\n[0-9a-f]+[^\r\n]*[ \t]\r\n"),
    "extension blank": matches(rb"chunked.*\n[0-9a-f]+[ \t]+;"),
    "announced chunk": lambda raw, ours, theirs: ours.status == 413 and b"chunked" in raw.lower(),
    "trailer lines": matches(rb"chunked.*\n0+[^\r\n]*\r\n(.*\r\n)?([ \t]|.*(?<!\r)\n)"),
}

# What only plain h11 does: the clause, and how to know it.
PLAIN = {
    "empty line first": ("RFC 9112 §2.2: h11 refuses", matches(rb"(^|\r\n\r\n)\r\n|\w\r\n\w+ /")),
    "bare LF": ("RFC 9112 §2.2: MAY end a line; we refuse, h11 takes it", matches(rb"(^|[^\r])\n")),
    "folded lines": ("RFC 9112 §5.2: refuse or replace; h11 replaces", matches(rb"\n[ \t]")),
    "two framings": (
        "RFC 9112 §6.1: Content-Length with Transfer-Encoding; h11 goes by the latter",
        matches(rb"content-length:.*transfer-encoding:|transfer-encoding:.*content-length:"),
    ),
    "chunked in 1.0": ("RFC 9112 §6.1", matches(rb"HTTP/1\.0\r\n.*transfer-encoding")),
    "Host": (
        "RFC 9112 §3.2: an invalid Host value is 400; h11 does not look",
        lambda raw, ours, theirs: ours.status == 400 and any(
            not re.fullmatch(rb"[a-z0-9.]*(:[0-9]*)?", value) for value in values_of(raw, b"host")
        ),
    ),
    "absolute target": ("RFC 9112 §3.2.2: its host outranks the field", matches(rb" https?://")),
    "target form": (
        "RFC 9112 §3.2: four forms, each with its methods; h11 takes any visible bytes",
        matches(rb"(^|\n)(?!CONNECT )[^ \r\n]+ (?!http://[\w.]+/)[^/ ][^ ]* HTTP/"),
    ),
    "major version": ("RFC 9110 §15.6.6: 505", refused_by_us(505)),
    "minor version": ("RFC 9110 §2.5: read as 1.1", matches(rb" HTTP/1\.[2-9]\r\n")),
    "CONNECT": ("RFC 9110 §9.3.6: for proxies", matches(rb"(^|\n)CONNECT ")),
    "expectations": ("RFC 9110 §10.1.1: 417", refused_by_us(417)),
    "request line limit": ("RFC 9112 §3: 414", refused_by_us(414)),
    "field limits": ("RFC 9110 §5.4: 4xx for more than we want to process", refused_by_us(431)),
    "body limit": ("RFC 9110 §15.5.14: 413", refused_by_us(413)),
}  # fmt: skip


def differ(ours: Outcome, theirs: Outcome) -> bool:
    return (ours.status, ours.requests) != (theirs.status, theirs.requests)


def reasons(raw: bytes, ours: Outcome, theirs: Outcome, plain: bool) -> set[str]:
    table = {**FOUND_BY, **({name: how for name, (_, how) in PLAIN.items()} if plain else {})}
    return {name for name, how in table.items() if how(raw, ours, theirs)}


def mutants(count: int) -> list[bytes]:
    """Return requests of the corpus, each with a few bytes changed; the same ones every time."""
    dice = random.Random(9112)
    tokens = [
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b",",
        b";",
        b"0",
        b"5",
        b"\x01",
        b"x",
        b"/",
        b"#",
    ]
    short = [raw for raw in FILES if len(raw) < 500]
    found = []
    for _ in range(count):
        raw = dice.choice(short)
        for _ in range(dice.randint(1, 2)):
            at, gone = dice.randrange(len(raw)), dice.randint(0, 2)
            raw = raw[:at] + dice.choice(tokens) + raw[at + gone :]
        found.append(raw)
    return found


@pytest.mark.parametrize("plain", [False, True], ids=["h11 behind our surface", "plain h11"])
def test_every_difference_has_its_reason(plain: bool) -> None:
    """And every reason its difference, in the corpus and a few requests more."""
    needed: dict[str, int] = {}
    for raw in [*FILES, *EXTRA, *mutants(1500)]:
        ours = by_engine(http1.Connection, raw)
        theirs = by_plain_h11(raw) if plain else by_engine(http1_h11.Connection, raw)
        if not differ(ours, theirs):
            continue
        found = reasons(raw, ours, theirs, plain)
        assert found, (raw, ours, theirs)
        if len(found) == 1:  # one that stands alone is one that cannot be missed
            needed[found.pop()] = 1
    expected = set(PLAIN) if plain else set(http1_h11.DIFFERENCES)
    assert expected - needed.keys() == set()


def test_the_table_in_the_reference_is_the_table_here() -> None:
    assert FOUND_BY.keys() == http1_h11.DIFFERENCES.keys()
    texts = [*http1_h11.DIFFERENCES.values(), *(clause for clause, _ in PLAIN.values())]
    assert all(re.search(r"RFC 9\d+ §\d", text) for text in texts if "refuses every" not in text)


@pytest.mark.parametrize("make", [http1.Connection, http1_h11.Connection], ids=["ours", "h11"])
def test_where_the_engines_agree_on_limits(make: Any) -> None:
    """Both take the same limits in the same way (RFC 9110 §5.4, RFC 9112 §3)."""
    limits = Limits(request_line=60, head=120, fields=3, body=4)
    for size in range(30, 80):
        raw = request_of(target=b"/" + b"a" * size)
        got = by_engine(lambda: make(limits), raw)
        assert got.status == (414 if size + len("GET / HTTP/1.1") > 60 else None)
    for size in range(40, 100):
        raw = request_of(b"GET", b"/", (b"X", b"a" * size))
        assert by_engine(lambda: make(limits), raw).status == (431 if len(raw) > 120 else None)
