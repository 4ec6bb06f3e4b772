"""Limits: what a server does with what never ends, and with much that is allowed."""

from __future__ import annotations

from functools import partial

from .asking import Asking, Broken, Miss, expect, request, same
from .model import check

limits = partial(check, group="limits")
BARE: tuple[str, ...] = ()
MUCH = 300_000  # bytes: more than any of the usual limits


def given_up(it: Asking, begin: bytes, endless: bytes, *, status: bool = True) -> None:
    """Demand an error, or the end of the connection, although the request has no end."""
    sent = begin + endless
    wire = it.connect()
    try:
        wire.send(sent)
        came = wire.until_any()
    except Broken as broken:
        raise Miss(f"{broken.problem}: it would take more, without end", sent=sent) from None
    if not came:
        return
    answer = wire.response(whole=False)
    if answer.status < 400 or (status and answer.status >= 500):
        raise Miss("a request without an end should be refused", sent=sent, got=answer.head, at=9)


@limits("414 for a long target", "RFC 9112 §3", 2, needs=BARE)
def a_long_target(it: Asking) -> None:
    """A server that does not want to read a target of that length must answer 414."""
    sent = request("/ok?" + "a" * MUCH)
    wire = it.connect().send(sent)
    if not wire.until_any():
        raise Miss("the server closed without a word", sent=sent, got=b"")
    answer = wire.response(whole=False)
    if answer.status not in (200, 414):
        raise Miss("wanted 414, or to be served", sent=sent, got=answer.head, at=9)


@limits("8000 bytes of a target", "RFC 9112 §3", 2, choice=True, needs=BARE)
def a_target_of_8000(it: Asking) -> None:
    """It is recommended to support request lines of 8000 octets at least."""
    sent = request("/ok?" + "a" * 7900)
    same(it.ask(sent).status, 200, "the status", sent)


@limits("a target without end", "RFC 9110 §4.1", 2, choice=True, needs=BARE)
def a_target_without_end(it: Asking) -> None:
    """A request line that does not end is given up, before memory is full of it."""
    given_up(it, b"GET /ok?", b"a" * MUCH)


@limits("a field without end", "RFC 6585 §5", 2, choice=True, needs=BARE)
def a_field_without_end(it: Asking) -> None:
    """A field that does not end is given up; 431 says so."""
    given_up(it, request("/ok")[:-2] + b"X-Long: ", b"a" * MUCH)


@limits("fields without end", "RFC 6585 §5", 2, choice=True, needs=BARE)
def fields_without_end(it: Asking) -> None:
    """Fields that do not end are given up; 431 says so."""
    given_up(it, request("/ok")[:-2], b"".join(b"X-%d: y\r\n" % n for n in range(30_000)))


@limits("2000 fields", "RFC 6585 §5", 2, choice=True, needs=BARE)
def many_fields(it: Asking) -> None:
    """There is a limit to the number of fields, also where they are short."""
    sent = request("/ok", *[f"X-{number}: y" for number in range(2000)])
    it.refused(sent, 431, 400, 0, closes=False)


@limits("a cookie of 4 KiB", "RFC 9110 §5.4", 2, choice=True, needs=BARE)
def a_cookie(it: Asking) -> None:
    """A field of a reasonable length is read: browsers send cookies of 4096 bytes."""
    sent = request("/ok", "Cookie: a=" + "b" * 4094)
    same(it.ask(sent).status, 200, "the status", sent)


@limits("60 fields", "RFC 9110 §5.4", 2, choice=True)
def sixty_fields(it: Asking) -> None:
    """A reasonable number of fields is read, and none is lost."""
    facts = it.facts(*[f"X-Number-{number}: {number}" for number in range(60)])
    if facts["interface"] == "wsgi":
        names = [key for key in facts["environ"] if key.startswith("HTTP_X_NUMBER_")]
    else:
        names = [name for name, _ in facts["scope"]["headers"] if name.startswith("x-number-")]
    same(len(names), 60, "the number of fields that the application was given")


@limits("a chunk's line without end", "RFC 9112 §7.1.1", 3, choice=True)
def a_chunk_line_without_end(it: Asking) -> None:
    """Chunk extensions ought to be limited: a line of 300 KB before five bytes is an attack."""
    begin = request("/echo", "Transfer-Encoding: chunked", method="POST")
    given_up(it, begin + b"5;a=", b"b" * MUCH)


@limits("zeros without end", "RFC 9112 §7.1", 3, choice=True)
def zeros_without_end(it: Asking) -> None:
    """A chunk's size of zeros alone, without end, is given up."""
    begin = request("/echo", "Transfer-Encoding: chunked", method="POST")
    given_up(it, begin, b"0" * MUCH)


@limits("trailers without end", "RFC 9112 §7.1.2", 3, choice=True)
def trailers_without_end(it: Asking) -> None:
    """Trailers that do not end are given up, like the fields of a head."""
    begin = request("/echo", "Transfer-Encoding: chunked", method="POST")
    given_up(it, begin + b"5\r\nhello\r\n0\r\n", b"X-Trailer: yes\r\n" * 20_000)


@limits("a length beyond all measure", "RFC 9110 §8.6", 3)
def a_length_beyond_all_measure(it: Asking) -> None:
    """A server must expect large numbers: one of 30 digits neither wraps around nor gives 500."""
    sent = request("/echo", "Content-Length: 1" + "0" * 29, method="POST") + b"hello"
    wire = it.connect().send(sent).half_close()
    if not wire.until_any():
        return
    answer = wire.response(whole=False)
    expect(answer.status < 500, "a number of 30 digits is no failure of ours", sent, answer.head, 9)


@limits("a megabyte up", "RFC 9110 §8.6", 3, choice=True)
def a_megabyte_up(it: Asking) -> None:
    """An upload of a megabyte arrives whole, with a length and in chunks."""
    body = b"0123456789abcdef" * 65_536
    blocks = tuple(body[at : at + 50_000] for at in range(0, len(body), 50_000))
    for sent in (request("/echo", method="POST", body=body),
                 request("/echo", method="POST", chunks=blocks)):  # fmt: skip
        got = it.ask(sent).body
        expect(got == body, f"of {len(body)} bytes came back {len(got)}, or others")
