"""Exercises of chapter 15: find the packet that breaks an exhibit of the museum.

A packet is shown to our server as it is and to the exhibit.  Both serve a mirror: an application
that answers with what it was given, line by line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from workbench.contracts import Broken
from workbench.contracts.wire import Answer, Wire
from workbench.exercises.model import Exercise, Point, Slip
from workbench.gauntlet import museum

PATIENCE = 0.8  # seconds for all that a server has to say
MOST = 20_000  # bytes: a packet, not a flood


def wsgi_mirror(environ: Any, start_response: Any) -> list[bytes]:
    """Answer with what a WSGI application is given."""
    fields = sorted(f"{key}: {value}" for key, value in environ.items() if key.startswith("HTTP_"))
    line = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    text = "\n".join([line, *fields, ""]).encode("latin-1")
    body: bytes = text + environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


async def asgi_mirror(scope: Any, receive: Any, send: Any) -> None:
    """Answer with what an ASGI application is given of its path."""
    if scope["type"] != "http":
        raise NotImplementedError
    body = f"path: {scope['path']}\nraw_path: ".encode() + scope["raw_path"]
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


def given(packet: Any) -> bytes:
    """Return what the learner's function returns; raise Slip unless it is a packet."""
    sent = packet()
    if not isinstance(sent, bytes):
        raise Slip(f"packet() returns bytes; yours returned {type(sent).__name__}")
    if not sent or len(sent) > MOST:
        raise Slip(f"packet() returns 1 to {MOST} bytes; yours returned {len(sent)}")
    return sent


def answers(number: int, packet: Any, *, broken: bool) -> list[Answer]:
    """Return what a server says to a packet, answer by answer."""
    exhibit = museum.exhibit(number)
    mirror = asgi_mirror if exhibit.interface == "asgi" else wsgi_mirror
    sent = given(packet)
    with (
        museum.served(exhibit if broken else None, exhibit.server, mirror) as server,
        Wire(server.address, PATIENCE) as wire,
    ):
        wire.send(sent).half_close()
        return list(heard(wire))


def heard(wire: Wire) -> Iterator[Answer]:
    """Give the answers until the server closes, hangs, or talks nonsense."""
    with suppress(Broken):
        while wire.until_any():
            yield wire.response(whole=False)


def shown(found: list[Answer]) -> bytes:
    """Return statuses and contents, as bytes that can be compared."""
    return b"".join(b"%d\n%b\n" % (answer.status, answer.body) for answer in found)


def ours_answers(number: int, count: int) -> Callable[[Any], None]:
    """Return a point: our server answers the packet with so many times 200."""

    def run(packet: Any) -> None:
        found = answers(number, packet, broken=False)
        if [answer.status for answer in found] != [200] * count:
            came = [answer.status for answer in found]
            raise Broken(
                f"our server should answer {count} times 200; it answered {came}",
                sent=given(packet), got=b"".join(answer.head + answer.body for answer in found),
            )  # fmt: skip

    return run


def shows(number: int) -> Callable[[Any], None]:
    """Return a point: the exhibit says something else than our server."""

    def run(packet: Any) -> None:
        right, wrong = (shown(answers(number, packet, broken=broken)) for broken in (False, True))
        if right == wrong:
            raise Broken("the exhibit answers just as our server does", sent=given(packet),
                         got=wrong)  # fmt: skip

    return run


def served_by_both(number: int, packet: Any) -> tuple[list[Answer], list[Answer]]:
    """Return what our server says and what the exhibit says; raise Slip where ours refuses."""
    right, wrong = (answers(number, packet, broken=broken) for broken in (False, True))
    if not right or right[0].status != 200:
        said = f"answers {right[0].status}" if right else "does not answer"
        raise Slip(f"our server {said}, so nothing can be compared: the first point comes first")
    return right, wrong


def loses_a_field(packet: Any) -> None:
    """Demand that the exhibit's application runs, and is given fewer fields."""
    right, wrong = served_by_both(3, packet)
    if [answer.status for answer in wrong] != [200]:
        raise Broken("the exhibit's application did not run", sent=given(packet), got=shown(wrong))
    lost = set(right[0].body.splitlines()) - set(wrong[0].body.splitlines())
    if not any(line.startswith(b"HTTP_") for line in lost):
        raise Broken("no field is missing in the exhibit's application", sent=given(packet),
                     got=wrong[0].body, wanted=right[0].body)  # fmt: skip


def swallows(packet: Any) -> None:
    """Demand that the exhibit gives the second request out as content of the first."""
    wrong = answers(7, packet, broken=True)
    if len(wrong) != 1 or b" HTTP/1.1\r\n" not in wrong[0].body:
        raise Broken("the second request is not in the content that the exhibit's application got",
                     sent=given(packet), got=shown(wrong))  # fmt: skip


def same_path(packet: Any) -> None:
    """Demand that both give one path, and two raw paths."""
    right, wrong = served_by_both(33, packet)
    ours, theirs = (
        (each[0].body if each else b"").partition(b"\nraw_path: ") for each in (right, wrong)
    )
    if ours[0] != theirs[0] or ours[2] == theirs[2]:
        raise Broken("path should be one, and raw_path two", sent=given(packet),
                     got=shown(wrong), wanted=shown(right))  # fmt: skip


EXHIBIT_3 = Exercise(
    name="break-exhibit-3",
    chapter=15,
    title="Find the packet that breaks exhibit 3",
    effort=1,
    subject="packet",
    points=(
        Point(
            "our server answers it with 200",
            ours_answers(3, 1),
            "a packet that is broken itself. Nobody is to blame for refusing that: it must be one "
            "whole request, with a Host, and nothing between a field's name and its colon.",
            "RFC 9112 §5",
        ),
        Point(
            "the exhibit does something else",
            shows(3),
            "a field as everybody writes it. Read RFC 9112 §5 once more: what may stand behind "
            "the colon, and what must?",
            "RFC 9112 §5",
        ),
        Point(
            "its application runs, and lacks a field",
            loses_a_field,
            "losing the Host: without it the exhibit refuses the request, and nobody sees what "
            "was lost. Write Host as it wants it, and another field as it does not.",
            "RFC 9112 §5",
        ),
    ),
    hints=(
        """
        Let it tell you. Which lines does it keep?

            from workbench.gauntlet.museum import wsgi_exhibits
            show(wsgi_exhibits.fields_need_a_blank, lines=("def ", "patch("))
        """,
        'field-line = field-name ":" OWS field-value OWS. OWS is optional white space: none at '
        "all is fine, and so is a tab.",
        """
        Nearly all of it, with a Host that the exhibit understands:

            return b"GET / HTTP/1.1\\r\\nHost: test\\r\\nX-..." b"\\r\\n\\r\\n"

        and the field without its blank.
        """,
    ),
    afterwards="""
        Real clients send such fields: the blank is a habit, not a rule. A server that parts at
        colon and blank drops them without a word, and what it dropped may be the Authorization.

        Uvicorn on httptools takes them, and stumbles at the other end: in version 0.54 a blank
        *behind* a value stays part of it, which RFC 9112 §5.1 excludes. The gauntlet's check for
        this exhibit asks for both.
        """,
)


EXHIBIT_7 = Exercise(
    name="break-exhibit-7",
    chapter=15,
    title="Find the packet that breaks exhibit 7",
    effort=2,
    subject="packet",
    points=(
        Point(
            "our server answers it with 200, twice",
            ours_answers(7, 2),
            "a length that counts too much or too little, or a second request that is not whole. "
            "Count the bytes of the first body, and nothing else. Or a first request that says "
            "`Connection: close`: then nobody reads a second one.",
            "RFC 9112 §6.3",
        ),
        Point(
            "the exhibit does something else",
            shows(7),
            "two requests of which the first has no body by length. The exhibit is wrong about "
            "bodies that have a Content-Length, and right about all others.",
            "RFC 9112 §6.3",
        ),
        Point("it gives out the second request as content of the first", swallows),
    ),
    hints=(
        "How many bytes does recv give, and how many of them belong to the body? The exhibit does "
        "not ask. What could stand behind the body in the same packet?",
        "Pipelining: a client may send its second request before it has the first answer. So a "
        "POST with a Content-Length, and a GET right behind its body.",
        """
        Two requests in one packet:

            first = b"POST / HTTP/1.1\\r\\nHost: test\\r\\nContent-Length: 5\\r\\n\\r\\nhello"
            second = b"GET / HTTP/1.1\\r\\nHost: test\\r\\n\\r\\n"
        """,
    ),
    afterwards="""
        Nobody notices this bug with a browser, which does not pipeline: it shows behind a proxy
        that does, and then one user's request, with its cookies, lands in another user's upload.

        Gunicorn's default worker would be safe even with it, for it closes after each answer; its
        gthread worker keeps the connection and hands the bytes behind a body back to the parser,
        and so does Uvicorn: both pass the gauntlet's pipelining.
        """,
)


EXHIBIT_33 = Exercise(
    name="break-exhibit-33",
    chapter=15,
    title="Find the packet that breaks exhibit 33",
    effort=2,
    subject="packet",
    points=(
        Point(
            "our server answers it with 200",
            ours_answers(33, 1),
            "bytes beyond ASCII in the request line. A target is ASCII; everything else is "
            "percent-encoded.",
            "RFC 9112 §3.2",
        ),
        Point(
            "the exhibit does something else",
            shows(33),
            "a path that comes back the same when it is decoded and encoded again. What is there "
            "in a path that can be written in two ways?",
            "ASGI HTTP 2.5, HTTP Connection Scope",
        ),
        Point("path is the same, raw_path is not", same_path),
    ),
    hints=(
        """
        It decodes, and encodes again. For which paths is that a way back?

            from workbench.gauntlet.museum import asgi_exhibits
            show(asgi_exhibits.rebuilt_raw_path, lines=("def ", "patch("))
        """,
        "Some characters need no escape and may have one: %41 is A. One escape can be written in "
        "two ways: %c3 and %C3. And what was %2F is a slash afterwards.",
        """
        Any of these in the path does it: an escape that nobody needed, one in small letters, or an
        escaped slash:

            return b"GET /%41 HTTP/1.1\\r\\nHost: test\\r\\n\\r\\n"
        """,
    ),
    afterwards="""
        Decoding loses something, so it has no way back: /a%2Fb and /a/b have one path and two raw
        paths. A signature over the URL, a cache key, or a proxy in Python needs the bytes as they
        came, and that is what raw_path is for.

        Uvicorn and Hypercorn give them as they came, and so do Daphne and Granian: probed with
        /%66act%73. The key is optional, so an application must still be able to do without.
        """,
)

EXERCISES: tuple[Exercise, ...] = (EXHIBIT_3, EXHIBIT_7, EXHIBIT_33)
