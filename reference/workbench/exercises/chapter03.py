"""The exercises of chapter 3: many requests on a connection, chunks, a packet with two ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from handmade import grammar, http1
from handmade.events import PeerError, Request
from workbench.contracts import Broken, find
from workbench.contracts.body import CHUNKED, refuses
from workbench.exercises.model import Exercise, Point, handing
from workbench.exercises.talking import client, same

# --- keep-alive-loop --------------------------------------------------------------------------

HOST = b"Host: board.example\r\n"
FIRST = b"GET /one HTTP/1.1\r\n" + HOST + b"\r\n"
SECOND = b"GET /two HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /posts HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello"
LAST = b"GET /last HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
BENT = b"GET /bent HTTP/1.1\r\n" + HOST + b"Content-Length : 5\r\n\r\n"
NEWER = b"GET /newer HTTP/3.0\r\n" + HOST + b"\r\n"
ONE, TWO = b"/one with 0 bytes", b"/two with 0 bytes"


def respond(request: Request, body: bytes) -> bytes:
    """Be the application: say what was asked."""
    return request.target + b" with %d bytes" % len(body)


def answers(*pieces: bytes, wanted: tuple[bytes, ...], refused: bytes = b"") -> Callable[..., None]:
    """Return a check: what the client sends is answered by these texts, in this order.

    ``refused`` is the request in it that the engine refuses.
    """

    def run(serve_client: Any) -> None:
        with client(*pieces, half_close=True) as (sock, caller):
            serve_client(sock, respond)
            sock.close()
            came = caller.heard()
        texts, rest = texts_of(came)
        same(texts, list(wanted), "these are not the answers, or not in this order", caller)
        if refused:
            says_why(rest, refusal_of(refused), caller.sent)
        elif rest:
            raise Broken("there is too much", sent=caller.sent, got=rest)

    return run


def refusal_of(raw: bytes) -> PeerError:
    """Return the error that the engine raises for a bent request."""
    engine = http1.Connection()
    engine.receive(raw)
    try:
        event = engine.next_event()
    except PeerError as error:
        return error
    raise ValueError(f"the engine takes it for {event}")


def says_why(rest: bytes, error: PeerError, sent: bytes) -> None:
    """Demand one answer, with the status and the reason of an error."""
    if not rest:
        raise Broken("the client has broken the protocol, and heard nothing of it", sent=sent)
    head, _, text = rest.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 %d " % error.status):
        problem = f"the last answer should have the PeerError's status, {error.status}"
        raise Broken(problem, sent=sent, got=rest)
    problem = "the text of the last answer should be the PeerError's reason"
    if text != error.reason.encode():
        raise Broken(problem, sent=sent, got=text, wanted=error.reason.encode())


def in_turn(serve_client: Any) -> None:
    """Send the second request when the answer to the first has come."""
    with client(FIRST, SECOND, half_close=True, in_turn=True) as (sock, caller):
        serve_client(sock, respond)
        sock.close()
        try:
            came = caller.heard()
        except Broken:  # it was reset; what it has heard before says more
            came = caller.came
    texts, rest = texts_of(came)
    if (texts, rest) == ([ONE], b""):
        problem = "the first request was answered, and then your function returned: "
        raise Broken(
            f"{problem}the second one, which came behind the answer, got none", sent=SECOND
        )
    same(texts, [ONE, TWO], "these are not the answers, or not in this order", caller)
    if rest:
        raise Broken("there is too much", sent=caller.sent, got=rest)


def leaves_it_open(serve_client: Any) -> None:
    """Demand that the socket is still open when serve_client returns."""
    with client(FIRST, half_close=True) as (sock, _):
        serve_client(sock, respond)
        if sock.fileno() < 0:
            raise Broken("serve_client has closed the socket, and it is the caller who does that")


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
            in_turn,
            "returning after the first answer. Unless somebody says close, an HTTP/1.1 connection "
            "goes on.",
            "RFC 9112 §9.3",
        ),
        Point(
            "two requests in one piece",
            answers(FIRST + SECOND, wanted=(ONE, TWO)),
            "a new engine for each request. The old one has the beginning of the next request in "
            "its buffer.",
            "RFC 9112 §9.3.2",
        ),
        Point(
            "a body, and a request behind it",
            answers(POST[:-3], POST[-3:] + SECOND, wanted=(b"/posts with 5 bytes", TWO)),
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
            answers(FIRST + BENT + SECOND, wanted=(ONE,), refused=BENT),
            "letting PeerError through: the client hears nothing, and will never know why. It "
            "carries a status and a reason.",
            "RFC 9112 §2.2",
        ),
        Point(
            "another fault gets another status",
            answers(FIRST + NEWER, wanted=(ONE,), refused=NEWER),
            "one status for every fault, or a text of your own. The engine knows which it was: "
            "error.status and error.reason.",
            "RFC 9110 §15.6.6",
        ),
        Point(
            "a client that asks nothing",
            answers(wanted=()),
            "waiting for a Request alone. Closed is an event too, the last one.",
            "RFC 9112 §9.6",
        ),
        Point(
            "the socket is left to the caller",
            leaves_it_open,
            "a with statement on the socket. Whoever called you opened it, and may want to part "
            "from the client without a reset.",
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
    return lambda read_chunked: promise.run(reader(read_chunked))


def reader(read_chunked: Any) -> Callable[[Any, bytearray], Any]:
    """Return the learner's function as a reader of bodies."""

    def read_body(fields: Any, buf: bytearray) -> Any:
        with handing(bytes(buf)):
            return read_chunked(buf)

    return read_body


def all_refused(why: str, *bodies: bytes) -> Callable[[Any], None]:
    """Return a check: none of these can become a chunked body, whatever follows."""

    def run(read_chunked: Any) -> None:
        for raw in bodies:
            refuses(reader(read_chunked), CHUNKED, raw, why)

    return run


def all_of(*runs: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a check that makes several."""

    def run(subject: Any) -> None:
        for each in runs:
            each(subject)

    return run


def gives_bytes(read_chunked: Any) -> None:
    """Demand bytes, and no buffer that somebody may change."""
    for raw in (b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n"):
        got = reader(read_chunked)(CHUNKED, bytearray(raw))
        if type(got) is not bytes:
            problem = f"the content should be bytes; it is a {type(got).__name__}"
            raise Broken(problem, sent=raw, got="None" if got is None else got)


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
        Point(
            "a size that is a lie already",
            all_refused("behind the content stands no CR", b"3\r\nhell", b"1\r\nabc"),
            "waiting for both bytes behind the content before you look at one. The first may be "
            "wrong already, and then nothing that follows helps.",
            "RFC 9112 §7.1",
        ),
        Point(
            "trailers that are no fields",
            all_of(
                all_refused(
                    "the trailers are here with their empty line, and are no fields",
                    b"0\r\nbent trailer\r\n\r\n",
                    b"0\r\nTag : red\r\n\r\n",
                    b"0\r\nTag: red\r\n : x\r\n\r\n",
                ),
                all_refused("a line ends in LF alone", b"0\r\nTag: red\n\r\n"),
            ),
            "taking 'no match' for 'not yet'. When the empty line is here, or a line feed without "
            "its CR, no more bytes will make a match: the reader would wait for ever.",
            "RFC 9112 §7.1.2",
        ),
        Point(
            "the content is bytes",
            gives_bytes,
            "gathering in a bytearray and handing that out. bytes() makes of it what nobody can "
            "change any more.",
        ),
    ),
    hints=(
        "Keep your place in a number, and touch the buffer once: when all of the body is there.",
        "grammar.CHUNK_LINE.match(buf, at) takes a size line, extensions too, with the size in "
        "group 1. No match means 'not yet' while there is no line feed behind `at`, and ValueError "
        "when there is one. grammar.FIELD_BLOCK.match(buf, at) takes the trailers and the empty "
        "line; no match, although b'\\r\\n\\r\\n' or a bare LF is there: ValueError. "
        "grammar.BARE_LF.search(buf, at) finds the latter.",
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
    except PeerError as error:
        head = grammar.HEAD.match(sent)
        names = {name for name, _ in grammar.split_fields(head[4])} if head else set()
        two = {b"transfer-encoding", b"content-length"} <= names
        if two and "Transfer-Encoding" in error.reason:
            return
        problem = f"our engine refuses it for another reason: {error.reason}"
        raise Broken(problem, sent=sent, clause="") from None
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
            "one of the two accepts. Or an inner head that the victim's first line spoils: end it "
            "with an empty line, or with a field that has a name and no line end.",
            "RFC 9112 §11.2",
        ),
        Point(
            "our engine refuses it for its two framings",
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
