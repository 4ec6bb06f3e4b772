"""The exercises of chapter 3: many requests on a connection, chunks, a packet with two ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from handmade import grammar, http1
from handmade.events import PeerError, Request
from workbench.contracts import Broken, find
from workbench.exercises.model import Exercise, Point
from workbench.exercises.talking import client, same

# --- keep-alive-loop --------------------------------------------------------------------------

HOST = b"Host: board.example\r\n"
FIRST = b"GET /one HTTP/1.1\r\n" + HOST + b"\r\n"
SECOND = b"GET /two HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /posts HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello"
LAST = b"GET /last HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
BENT = b"GET /bent HTTP/1.1\r\n" + HOST + b"Content-Length : 5\r\n\r\n"


def respond(request: Request, body: bytes) -> bytes:
    """Be the application: say what was asked."""
    return request.target + b" with %d bytes" % len(body)


def answers(
    *pieces: bytes, wanted: tuple[bytes, ...], refused: bool = False
) -> Callable[..., None]:
    """Return a check: what the client sends is answered by these texts, in this order."""

    def run(serve_client: Any) -> None:
        with client(*pieces, half_close=True) as (sock, caller):
            serve_client(sock, respond)
            sock.close()
            came = caller.heard()
        texts, rest = texts_of(came)
        same(texts, list(wanted), "these are not the answers, or not in this order", caller)
        if refused != rest.startswith(b"HTTP/1.1 400 "):
            what = "one more answer is wanted, with status 400" if refused else "there is too much"
            raise Broken(what, sent=caller.sent, got=rest)

    return run


def texts_of(came: bytes) -> tuple[list[bytes], bytes]:
    """Return the contents of the answers with status 200, and what is behind them."""
    found = []
    while came.startswith(b"HTTP/1.1 200 "):
        head, _, rest = came.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        lengths = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
        length = lengths[0] if lengths else 0
        found.append(rest[:length])
        came = rest[length:]
    return found, came


KEEP_ALIVE_LOOP = Exercise(
    name="keep-alive-loop",
    chapter=3,
    title="Serve every request of a connection",
    effort=1,
    subject="serve_client",
    points=(
        Point(
            "one request after the other",
            answers(FIRST, SECOND, wanted=(b"/one with 0 bytes", b"/two with 0 bytes")),
            "returning after the first answer. Unless somebody says close, an HTTP/1.1 connection "
            "goes on.",
            "RFC 9112 §9.3",
        ),
        Point(
            "two requests in one piece",
            answers(FIRST + SECOND, wanted=(b"/one with 0 bytes", b"/two with 0 bytes")),
            "a new engine for each request. The old one has the beginning of the next request in "
            "its buffer.",
            "RFC 9112 §9.3.2",
        ),
        Point(
            "a body, and a request behind it",
            answers(
                POST[:-3], POST[-3:] + SECOND, wanted=(b"/posts with 5 bytes", b"/two with 0 bytes")
            ),
            "calling the application before the End has come, or with the first Data alone.",
            "RFC 9112 §6.2",
        ),
        Point(
            "close is the end",
            answers(LAST + SECOND, wanted=(b"/last with 0 bytes",)),
            "not asking engine.must_close behind each answer. Who has said close is not answered "
            "again.",
            "RFC 9112 §9.6",
        ),
        Point(
            "a bent request gets its status",
            answers(FIRST + BENT + SECOND, wanted=(b"/one with 0 bytes",), refused=True),
            "letting PeerError through: the client hears nothing, and will never know why. It "
            "carries a status and a reason.",
            "RFC 9112 §2.2",
        ),
        Point(
            "a client that asks nothing",
            answers(wanted=()),
            "waiting for a Request alone. Closed is an event too, the last one.",
            "RFC 9112 §9.6",
        ),
    ),
    hints=(
        "Which events may the engine give when you ask for the next one, and which of them begin a "
        "request, which end the loop?",
        "One engine for the whole connection, outside of the loop. In the loop: a Request or "
        "Closed; then Data until End; then one answer; then engine.must_close.",
        """
        The shape of it:

            engine = http1.Connection()
            try:
                while not isinstance(request := next_event(engine, sock), Closed):
                    (gather the body from Data events until End)
                    sock.sendall(answer(engine, 200, respond(request, body)))
                    (must it close?)
            except PeerError as error:
                (one last answer)
        """,
    ),
    afterwards="""
        The loop knows nothing of HTTP: when a request ends, whether the next may come and whether
        the connection goes on is the engine's business. That is why the same loop serves h11 too.

        Uvicorn's h11 protocol is this loop turned inside out. Its handle_events asks for events
        until h11 says NEED_DATA or PAUSED; at PAUSED it stops reading from the socket until the
        response is complete, then starts the next cycle. Its httptools protocol parses ahead
        and keeps pipelined requests in a queue, to be run one after the other.

        Gunicorn's default worker, sync, closes after each answer; its threaded worker keeps
        connections open.
        """,
    seconds=3.0,
)

# --- chunked-reader ---------------------------------------------------------------------------


def case(name: str) -> Callable[[Any], None]:
    """Return a case of the contract ``body``, for a reader of chunks alone."""
    promise = find("body", name)
    return lambda read_chunked: promise.run(lambda fields, buf: read_chunked(buf))


CHUNKED_READER = Exercise(
    name="chunked-reader",
    chapter=3,
    title="Read a chunked body, whole or not at all",
    effort=2,
    subject="read_chunked",
    points=(
        Point(
            "chunks are joined",
            case("chunks"),
            "taking sizes for decimal numbers, or the request behind the last chunk for a part of "
            "the body.",
            "RFC 9112 §7.1",
        ),
        Point(
            "content with line ends in it",
            case("line ends inside"),
            "cutting the body at CRLF. Content may hold anything, a whole chunked body too; only "
            "the size says where it ends.",
            "RFC 9112 §7.1",
        ),
        Point(
            "cut at every byte",
            case("every split"),
            "deleting from the buffer as you go. When the rest is not here yet, all of it must "
            "still be there for the next try.",
            "RFC 9112 §7.1",
        ),
        Point(
            "extensions and trailers",
            case("extensions and trailers"),
            "taking the last chunk for the end. Behind it comes a block of fields, mostly an empty "
            "one: take it too.",
            "RFC 9112 §7.1.2",
        ),
        Point(
            "a size that int() would like too",
            case("the size is a size"),
            "int(size, 16), which takes 0x5, +5, -5, 0_5 and blanks. A size is hexadecimal digits.",
            "RFC 9112 §7.1",
        ),
        Point(
            "a size that is not true",
            case("the size is true"),
            "skipping two bytes behind the content without looking at them. If they are not CRLF "
            "the size was a lie.",
            "RFC 9112 §7.1",
        ),
    ),
    hints=(
        "Keep your place in a number, and touch the buffer once: when all of the body is there.",
        "grammar.CHUNK_LINE.match(buf, at) takes a size line, extensions too, with the size in "
        "group 1. No match means 'not yet' while there is no line feed behind `at`, and ValueError "
        "when there is one. grammar.FIELD_BLOCK.match(buf, at) takes the trailers.",
        """
        One round, with `at` behind the size line:

            end = at + size
            if not b"\\r\\n".startswith(buf[end : end + 2]): raise ValueError
            if len(buf) < end + 2: return None

        Then the content is buf[at:end], and the next size line begins at end + 2. At size 0 the
        trailers follow; when they are whole, del buf[:...] and return what you have gathered.
        """,
    ),
    afterwards="""
        You begin from the front at each call, which is clear and costs little for a short body. A
        server keeps a state between calls instead, as ChunkedReader does, so that a body of a
        gigabyte is not looked at twice, and it hands out content before the end has come.

        Gunicorn's ChunkedReader is a generator: the place where it stands is its state. It checks
        every character of a size against the hexadecimal digits, checks extensions by a pattern,
        and refuses a chunk that is not followed by CRLF. h11 takes a blank behind a size, because
        some old servers send one; this course's engine does not.
        """,
    seconds=3.0,
)

# --- smuggling-packet -------------------------------------------------------------------------


def is_chunked_for_the_front(value: bytes) -> bool:
    """Tell whether the proxy takes a Transfer-Encoding for chunked."""
    return value == b"chunked"


def is_chunked_for_the_back(value: bytes) -> bool:
    """Tell whether the server takes a Transfer-Encoding for chunked."""
    return value.lower() == b"chunked"


def requests_in(stream: bytes, is_chunked: Callable[[bytes], bool]) -> list[tuple[bytes, int]]:
    """Return target and end of each whole request in a stream; chunks go before a length.

    Proxy and server of the exercise both read like this, each with its own ``is_chunked``.
    """
    found, at = [], 0
    while head := grammar.HEAD.match(stream, at):
        fields = dict(grammar.split_fields(head[4]))
        if is_chunked(fields.get(b"transfer-encoding", b"")):
            at = end_of_chunks(stream, head.end())
        else:
            at = head.end() + int(fields.get(b"content-length", b"0"))
        if not 0 <= at <= len(stream):
            break
        found.append((head[2], at))
    return found


def end_of_chunks(stream: bytes, at: int) -> int:
    """Return the place behind a chunked body, -1 where it does not end."""
    while line := grammar.CHUNK_LINE.match(stream, at):
        size = int(line[1], 16)
        if size == 0:
            trailers = grammar.FIELD_BLOCK.match(stream, line.end())
            return trailers.end() if trailers else -1
        at = line.end() + size + 2
    return -1


VICTIM = b"GET /mine HTTP/1.1\r\nHost: board.example\r\n\r\n"


def given(packet: Any) -> bytes:
    """Return what the learner's function returns; raise Broken unless it is bytes."""
    sent = packet()
    if not isinstance(sent, bytes):
        raise Broken(f"packet() returns bytes; yours returned {type(sent).__name__}")
    return sent


def passes_the_front(packet: Any) -> None:
    """Demand one whole request for /posts, and nothing behind it, in the eyes of the proxy."""
    sent = given(packet)
    seen = requests_in(sent, is_chunked_for_the_front)
    if [target for target, _ in seen] != [b"/posts"]:
        raise Broken(
            "the proxy must see one whole request, for /posts; it sees the targets below",
            sent=sent,
            got=[target for target, _ in seen],
            wanted=[b"/posts"],
        )
    if seen[0][1] != len(sent):
        rest = sent[seen[0][1] :]
        raise Broken("for the proxy these bytes stand behind the request", sent=sent, got=rest)


def reaches_the_back(packet: Any) -> None:
    """Demand that the second request that the server sees is for /admin, once a victim has come."""
    sent = given(packet)
    seen = [target for target, _ in requests_in(sent + VICTIM, is_chunked_for_the_back)]
    if seen[:2] != [b"/posts", b"/admin"]:
        raise Broken(
            "the packet came, then a victim's GET /mine; the server must see /posts, then /admin",
            sent=sent + VICTIM,
            got=seen,
            wanted=[b"/posts", b"/admin"],
        )


def is_refused_by_ours(packet: Any) -> None:
    """Demand that the engine of this course refuses it."""
    sent = given(packet)
    engine = http1.Connection()
    engine.receive(sent)
    try:
        event = engine.next_event()
    except PeerError:
        return
    raise Broken("our engine takes it, so it is no trick (or a bug: tell us)", sent=sent, got=event)


SMUGGLING_PACKET = Exercise(
    name="smuggling-packet",
    chapter=3,
    title="Find the packet with two ends",
    effort=2,
    subject="packet",
    points=(
        Point(
            "the proxy passes it on as one request for /posts",
            passes_the_front,
            "a plain 'chunked', or a Content-Length that does not count every byte behind the "
            "head. The proxy must go by the length, and the length must reach to the end.",
            "RFC 9112 §6.3",
        ),
        Point(
            "the server finds a request for /admin in it",
            reaches_the_back,
            "a coding that the server does not take for chunked either. Look for a value that only "
            "one of the two accepts.",
            "RFC 9112 §11.2",
        ),
        Point(
            "our engine refuses it",
            is_refused_by_ours,
            "a packet that is only odd. One that smuggles has two framings.",
            "RFC 9112 §6.1",
        ),
    ),
    hints=(
        "Both prefer chunks to a length, as the standard says. So the proxy must not notice that "
        "the body is chunked. Compare the two is_chunked functions, letter by letter.",
        "Names of codings have no case. One of the two knows that. So the proxy goes by the "
        "Content-Length: let it cover the last chunk and a request behind it.",
        """
        The body has two parts, and the length counts both:

            body = b"0\\r\\n\\r\\n" + b"GET /admin HTTP/1.1\\r\\n..."

        The head says Content-Length: len(body), and Transfer-Encoding: with a capital letter
        where the proxy expects a small one. Give the inner request a Host and an empty line, or a
        field without an end that swallows the victim's first line.
        """,
    ),
    afterwards="""
        Here the *server* was right, for names of transfer codings have no case (RFC 9112 §7), and
        the proxy too strict. Being right did not help: what counts is that both decide alike. So
        the defence is not a better guess but none at all: two framings in one head, and the
        connection ends.

        Gunicorn refuses Content-Length beside chunked, as our engine does, and every coding that
        it does not know. h11 alone goes by Transfer-Encoding, which RFC 9112 §6.1 allows, but
        leaves the connection open, which it does not; our adapter refuses before that.

        Such tricks are named by what the front goes by, a dot, and what the back goes by. The
        notebook's was CL.TE. This one is TE.TE: both know Transfer-Encoding, and a spelling keeps
        one of the two from seeing it.
        """,
    seconds=3.0,
)

EXERCISES = (KEEP_ALIVE_LOOP, CHUNKED_READER, SMUGGLING_PACKET)
