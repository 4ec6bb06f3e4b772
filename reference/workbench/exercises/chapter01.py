"""The exercises of chapter 1: TCP is a stream, and its two directions end on their own."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from handmade.events import Engine, Limits
from workbench.contracts import Broken, handler
from workbench.contracts.wire import Answer, Wire
from workbench.exercises.model import Exercise, Point, Slip
from workbench.exercises.talking import client, gave, same, shown
from workbench.running import Server, running

# --- split-reads ------------------------------------------------------------------------------

GET = b"GET /posts HTTP/1.1\r\nHost: board.example\r\n\r\n"
POST = b"POST /posts HTTP/1.1\r\nHost: board.example\r\nContent-Length: 5\r\n\r\n"


def reads(*pieces: bytes, rest: bytes = b"") -> Callable[[Any], None]:
    """Return a check: this head comes in pieces, and ``rest`` behind it in the last one."""

    def run(read_head: Any) -> None:
        with client(*pieces) as (sock, caller):
            head, behind = pair(read_head(sock))
        same(head, caller.sent.removesuffix(rest), "the head is not what the client sent", caller)
        same(behind, rest, "the bytes behind the head are not what the client sent", caller)

    return run


def pair(value: Any) -> Any:
    """Demand what read_head has promised to return."""
    return gave(value, (bytes, bytes), "read_head returns a tuple of two bytes objects")


def ends_early(read_head: Any) -> None:
    """Let clients leave before the empty line: with nothing said, and with half a head."""
    for piece in (GET[:20], b""):
        with client(piece, leaves=True) as (sock, caller):
            try:
                value = read_head(sock)
            except EOFError:
                continue
        raise Broken(
            "the client left before the empty line: EOFError is wanted", sent=caller.sent, got=value
        )


LONG = GET[:-2] + b"Cookie: " + b"crumbs=" * 15_000 + b"\r\n\r\n"

SPLIT_READS = Exercise(
    name="split-reads",
    chapter=1,
    title="Read until the head is whole",
    effort=1,
    subject="read_head",
    points=(
        Point(
            "a request in one piece",
            reads(GET),
            "reading until the client closes. A client that waits for its answer does not close, "
            "so recv waits for it, and it for you. Or cutting in front of the empty line, which "
            "belongs to the head.",
            "RFC 9112 §2.1",
        ),
        Point(
            "a request in two pieces",
            reads(GET[:9], GET[9:]),
            "taking one recv for one message. TCP keeps the order of bytes and forgets where a "
            "send ended.",
            "RFC 9293 §2.2",
        ),
        Point(
            "a request byte by byte",
            reads(*(GET[i : i + 1] for i in range(len(GET)))),
            "looking for the empty line in the newest piece. Its four bytes may come in four "
            "pieces; look in everything that has come.",
            "RFC 9293 §2.2",
        ),
        Point(
            "a head longer than one recv",
            reads(LONG),
            "a limit on the number of reads. However many bytes you ask recv for, a head may have "
            "one more.",
        ),
        Point(
            "bytes behind the head are kept",
            reads(POST + b"hello", rest=b"hello"),
            "cutting the buffer at the empty line and dropping the rest. These bytes are read: "
            "nobody gets them from the socket again. Or reading until the buffer ends in the blank "
            "line, when more may stand behind it.",
            "RFC 9112 §6.3",
        ),
        Point(
            "a client that leaves early",
            ends_early,
            "not looking for b''. At the end of the stream recv returns it at once, again and "
            "again, so the loop never ends.",
            "RFC 9112 §8",
        ),
    ),
    hints=(
        "How many times does your function call recv, and who decides that?",
        "Add each piece to a buffer, and look for b'\\r\\n\\r\\n' in the buffer, not in the piece. "
        "What recv returns when the client has closed is the one case that must leave the loop.",
        """
        The shape of it:

            while b"\\r\\n\\r\\n" not in buf:
                data = sock.recv(4096)
                (no data? raise EOFError)
                buf += data

        bytes.partition cuts the buffer at the empty line, and says what stands behind it. It gives
        the empty line as a part of its own: the head wants it back.
        """,
    ),
    afterwards="""
        A recv returns what has come so far, at least one byte; only the empty line says that the
        head is whole. So the number of reads belongs to the network and the decision to you.

        Uvicorn never calls recv: asyncio hands each piece to data_received, which feeds a parser
        that keeps the half line itself. Gunicorn's synchronous worker does what you did: it reads
        into a buffer until the empty line is there, and gives the rest back to be read as the body.

        Gunicorn has limits for that, limit_request_line and limit_request_fields; Uvicorn has one
        for its h11 parser, h11_max_incomplete_event_size, and none for its httptools parser. A
        client that never sends an empty line would fill your memory; that is for chapter 2.
        """,
    seconds=3.0,
)

# --- half-close -------------------------------------------------------------------------------


def counts(
    *pieces: bytes, problem: str = "the client heard something else"
) -> Callable[[Any], None]:
    """Return a check: a client sends pieces, ends its side, and is told how many bytes came."""

    def run(answer_length: Any) -> None:
        with client(*pieces, half_close=True) as (sock, caller):
            answer_length(sock)
            heard = caller.heard()
        wanted = b"%d\n" % len(caller.sent)
        if heard + b"\n" == wanted:
            told = "the number is right, but no newline stands behind it"
            raise Slip(told, sent=shown(caller.sent), got=heard, wanted=wanted)
        same(heard, wanted, problem if heard else "the client heard nothing, then the end", caller)

    return run


def gives_back(answer_length: Any) -> None:
    """Demand that the socket is closed, not only its sending side."""
    with client(b"hello", half_close=True) as (sock, _):
        answer_length(sock)
        if sock.fileno() >= 0:
            raise Broken("your function has returned, and its socket is still open")


HALF_CLOSE = Exercise(
    name="half-close",
    chapter=1,
    title="Answer a client that has finished speaking",
    effort=2,
    subject="answer_length",
    points=(
        Point(
            "a short message",
            counts(b"hello"),
            "leaving when recv returns b''. It says that the client will send nothing more, not "
            "that it does not listen. Or not closing at the end: then the client waits for more.",
            "RFC 9293 §3.6",
        ),
        Point(
            "a message in pieces",
            counts(b"one, ", b"two, ", b"three", problem="the client counts another number"),
            "answering after the first recv. Here the end of the stream is the end of the message; "
            "nothing earlier is.",
        ),
        Point(
            "nothing at all",
            counts(),
            "taking an empty message for an error. A client may end its side at once, and its "
            "length is 0.",
        ),
        Point(
            "a million bytes",
            counts(b"x" * 1_000_000),
            "a limit on what is read. Bytes that stay unread when a socket closes turn the close "
            "into a reset, and the answer is lost.",
            "RFC 9112 §9.6",
        ),
        Point(
            "the socket is given back",
            gives_back,
            "ending with shutdown(SHUT_WR). The client hears the same end, but the socket stays "
            "open on your side, and a process can have only so many. close() gives it back.",
        ),
    ),
    hints=(
        "A TCP connection is two streams. Which of them has ended when recv returns b''?",
        "Count in a loop until recv returns b''. The other direction is still open: send there, "
        "and close when you have sent.",
        """
        The shape of it:

            while data := sock.recv(65536):
                (count)
            sock.sendall(...)
            sock.close()

        A with statement on the socket closes it whatever happens.
        """,
    ),
    afterwards="""
        A client that calls shutdown(SHUT_WR) closes one direction. Your recv returns b'', your
        sendall still arrives. The close at the end tells the client that the answer is whole: this
        is how HTTP/1.0 marked the end of a body.

        Gunicorn's synchronous worker reads a whole head and answers, so a half-closed client hears
        it. Uvicorn is told by asyncio in eof_received; it returns nothing there, and asyncio then
        closes the transport: a client that half-closes and waits may hear no answer. Chapter 14
        looks at what the installed servers do.
        """,
    seconds=4.0,
)

# --- answer-get -------------------------------------------------------------------------------

PAGE = "Grüße vom Brett\n".encode()


def asks(
    *pieces: bytes, status: int = 200, body: bytes | None = PAGE, **fields: str
) -> Callable[[Any], None]:
    """Return a check: a head in pieces gets this status, this body and these fields."""

    def run(answer_get: Any) -> None:
        with handler.served(answer_get) as server, handler.connect(server) as wire:
            for piece in pieces[:-1]:
                wire.send(piece)
                if wire.readable(handler.SHORT):
                    raise Broken("the answer came before the head was whole", sent=bytes(wire.sent))
            answer = answer_of(server, wire.send(pieces[-1]))
        demand(answer, status, body, fields, bytes(wire.sent))

    return run


CLAUSES = {"Connection": "RFC 9112 §9.6", "Allow": "RFC 9110 §15.5.6"}


def answer_of(server: Server, wire: Wire) -> Answer:
    """Read the answer; where there is none, tell what became of the server."""
    try:
        return wire.response()
    except Broken as broken:
        if server.log:
            broken.args = (f"{broken.problem}; your function failed: {server.log[-1]}",)
            broken.problem = broken.args[0]
        raise


def demand(
    answer: Answer, status: int, body: bytes | None, fields: dict[str, str], sent: bytes
) -> None:
    """Raise Broken unless the answer is this one, and says how long it is."""
    if answer.status != status:
        problem = f"the status is {answer.status}, and {status} is wanted"
        raise Broken(problem, sent=sent, got=answer.head, clause="")
    if answer.framing != "length":
        problem = "the answer does not say its Content-Length"
        raise Broken(problem, sent=sent, got=answer.head, clause="RFC 9110 §8.6")
    for name, wanted in {"Connection": "close", **fields}.items():
        if (got := answer.value(name)) != wanted:
            problem = f"the answer has no field {name}: {wanted}"
            problem += "" if got is None else f"; its {name} is {got}"
            raise Broken(problem, sent=sent, got=answer.head, clause=CLAUSES[name])
    if body is not None and answer.body != body:
        raise Broken("the content is not the page", sent=sent, got=answer.body, wanted=body)


UPLOAD = b"POST /posts HTTP/1.1\r\nHost: board.example\r\nContent-Length: 300000\r\n\r\n"
PART, PARTS = b"x" * 50_000, 6
EARLY = 0.2  # seconds in which an answer comes that does not wait for the body
LATE = 0.25  # seconds that each part of a body may wait unread


def uploads(answer_get: Any) -> None:
    """Send on a body that nobody asked for: the refusal must arrive, and no reset.

    A client that has heard the refusal may be in the middle of its upload. Who answers when the
    body has come is right, too.
    """
    with handler.served(answer_get) as server, handler.connect(server) as wire:
        is_early = wire.send(UPLOAD).readable(EARLY)
        if is_early:
            refused(server, wire)
        for _ in range(PARTS):
            send_on(server, wire)
        if not is_early:
            refused(server, wire)
        with suppress(OSError):  # it is not connected any more: that has been noticed
            wire.half_close()


def refused(server: Server, wire: Wire) -> None:
    """Demand a whole refusal, and then the end of the server's side."""
    answer = answer_of(server, wire)
    demand(answer, 405, None, {}, UPLOAD)
    try:
        wire.closed("after its answer")
    except Broken as broken:
        broken.problem = (
            "the answer is whole and says Connection: close, and the server has still not "
            f"ended its side after {wire.patience:g} s"
        )
        broken.sent = UPLOAD  # all that is worth a look; the rest is a long body
        broken.got = answer.head + answer.body
        raise


def send_on(server: Server, wire: Wire) -> None:
    """Send a part of the body, and wait until it was read; raise Broken for a reset."""
    name, end = wire.socket.getsockname()[:2], time.monotonic() + LATE
    wire.send(PART)
    while not (wire.was_reset or was_cut(wire)):
        if time.monotonic() > end or server.was_read(name):
            return
        select.select([], [], [], 0.002)
    raise Broken(
        "the connection was reset: the server closed while the client was still sending its "
        "body, and a reset can destroy an answer that is on its way",
        sent=UPLOAD,
    )


def was_cut(wire: Wire) -> bool:
    """Tell whether the server has reset the connection: behind its end a read would not tell."""
    return wire.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def leaves(answer_get: Any) -> None:
    """Leave early; the next client must be answered all the same."""
    with handler.served(answer_get) as server:
        with handler.connect(server) as wire:
            came = wire.send(GET[:8]).half_close().closed("after half a request and its end")
            same(came, b"", "half a request was answered")
        with handler.connect(server) as wire:
            demand(answer_of(server, wire.send(GET)), 200, PAGE, {}, GET)
        if server.log:
            raise Broken(f"your function failed on it: {server.log[-1]}", sent=GET[:8])


ANSWER_GET = Exercise(
    name="answer-get",
    chapter=1,
    title="A page for GET, a refusal for the rest",
    effort=2,
    subject="answer_get",
    points=(
        Point(
            "a GET gets the page, whole",
            asks(GET),
            "counting characters. Content-Length counts bytes, and ü has two of them in UTF-8: "
            "encode first, then count.",
            "RFC 9110 §8.6",
        ),
        Point(
            "a GET in two pieces",
            asks(GET[:2], GET[2:]),
            "looking at the method before the head is whole. Even GET may come in two pieces.",
            "RFC 9293 §2.2",
        ),
        Point(
            "another method is refused",
            asks(GET.replace(b"GET", b"DELETE"), status=405, body=None, Allow="GET"),
            "leaving Allow out. Who says 405 must say what is allowed.",
            "RFC 9110 §15.5.6",
        ),
        Point(
            "a method that begins like GET is refused",
            asks(GET.replace(b"GET", b"GETS"), status=405, body=None, Allow="GET"),
            "comparing the beginning of the line. The method ends at the first blank.",
            "RFC 9112 §3",
        ),
        Point(
            "an upload is refused without a reset",
            uploads,
            "closing as soon as the answer is sent, or reading on without a sign that it is over. "
            "End your writing side, then read until the client ends its own.",
            "RFC 9112 §9.6",
        ),
        Point(
            "a client that leaves early",
            leaves,
            "answering what was never asked, or failing on it. An empty head means that there is "
            "nobody to answer.",
            "RFC 9112 §8",
        ),
    ),
    hints=(
        "Which bytes of the head tell the method, and where does it end?",
        "Choose status, further fields and body first, then build one answer from them. Only then "
        "think of how to part from the client: the notebook's last mirror does it.",
        r"""
        The shape of it:

            head = read_head(sock)
            (no head? return)
            method = head.split(b" ")[0]
            if method == b"GET": ...
            sock.sendall(...)
            sock.shutdown(socket.SHUT_WR)
            (read until b"")

        PAGE.encode() is what you send, and what you count.
        """,
    ),
    afterwards="""
        An answer has a length in bytes, a refusal says what would be allowed, and a server that
        refuses an upload reads it to its end, or the client never learns why.

        Whether GET or POST is allowed at a path is no matter of the server: Flask or Starlette make
        the 405 with its Allow. Servers refuse what they take for no method: Gunicorn answers 400 to
        small letters and to fewer than 3 or more than 20 letters, Uvicorn with httptools to every
        method that httptools does not know. What to do with a body that nobody read is the
        server's, too. Gunicorn's synchronous worker ends its writing side and reads on for up to
        two seconds or 64 KiB before it closes; nginx has the same under the name lingering close.
        """,
    seconds=3.0,
)

# --- two-clients ------------------------------------------------------------------------------


class Kept:
    """A tap that holds what was accepted: Python closes a socket that nobody holds any more."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []

    def app(self, app: Any) -> Any:
        """Return an application as it is; there is none here."""
        return app

    def engine(self, make: Callable[[Limits], Engine]) -> Callable[[Limits], Engine]:
        """Return a maker of engines as it is; there is none here."""
        return make

    def shell(self, shell: Any) -> None:
        """Watch no shell; there is none here."""

    def socket(self, sock: socket.socket) -> socket.socket:
        """Keep an accepted socket."""
        self.sockets.append(sock)
        return sock

    def is_open(self, place: int) -> bool:
        """Tell whether the socket of a client stays open, or was never accepted."""
        end = time.monotonic() + LEAVE
        while len(self.sockets) <= place or self.sockets[place].fileno() >= 0:
            if time.monotonic() > end:
                return True
            select.select([], [], [], 0.002)
        return False


LEAVE = 0.5  # seconds that a server has to close a socket when its client has left


@contextmanager
def clients(serve: Any, number: int, kept: Kept | None = None) -> Iterator[list[Wire]]:
    """Run an accept loop, and connect that many clients to it."""
    with running(serve=serve, patience=0.6, tap=kept or Kept()) as server, ExitStack() as stack:
        try:
            yield [stack.enter_context(handler.connect(server)) for _ in range(number)]
        except Broken as broken:
            if server.log:
                broken.args = (f"{broken.problem}; your function failed: {server.log[-1]}",)
                broken.problem = broken.args[0]
            raise


def head_of(number: int) -> bytes:
    """Return the head that a client of this number sends."""
    return GET.replace(b"/posts", b"/posts?client=%d" % number)


def says(wire: Wire, head: bytes) -> Wire:
    """Send a head in two pieces: a server that closes too early has done it by the second."""
    wire.send(head[:8]).readable(handler.SHORT)
    return wire.send(head[8:])


def mirrored(wire: Wire, head: bytes) -> None:
    """Demand the mirror's answer."""
    same(wire.response().body, head, "the content should be the head that this client sent")


def one_after_the_other(serve: Any) -> None:
    """Serve a second client when the first has left."""
    with clients(serve, 2) as wires:
        for number, wire in enumerate(wires):
            mirrored(says(wire, head_of(number)), head_of(number))
            wire.close()


def thinks(serve: Any) -> None:
    """Let the first client stop halfway, and the second ask for all."""
    with clients(serve, 2) as (first, second):
        first.send(head_of(1)[:8])
        try:
            mirrored(says(second, head_of(2)), head_of(2))
        except Broken as broken:
            broken.problem = f"while the first client thinks, the second hears: {broken.problem}"
            raise
        mirrored(first.send(head_of(1)[8:]), head_of(1))


def in_reverse(serve: Any) -> None:
    """Let five clients begin, and end in the reverse order: nobody can be served in turn."""
    with clients(serve, 5) as wires:
        for number, wire in enumerate(wires):
            wire.send(head_of(number)[:8])
        wires[-1].readable(handler.SHORT)
        for number, wire in reversed(list(enumerate(wires))):
            mirrored(wire.send(head_of(number)[8:]), head_of(number))


def crashes(serve: Any) -> None:
    """Cut the first client off in the middle of its head: the others must not notice."""
    with clients(serve, 2) as (first, second):
        first.send(head_of(1)[:8])
        first.reset()
        mirrored(says(second, head_of(2)), head_of(2))


def closes(serve: Any) -> None:
    """Let one client be answered and leave, and one be cut off: both sockets must be closed."""
    kept = Kept()
    with clients(serve, 2, kept) as (first, second):
        mirrored(says(first, head_of(1)), head_of(1))
        first.close()
        if kept.is_open(0):
            raise Broken("a client has its answer and has left, and its socket is still open")
        second.send(head_of(2)[:8])
        second.reset()
        if kept.is_open(1):
            raise Broken("a client was cut off, so mirror failed, and its socket is still open")


def silent(serve: Any) -> None:
    """Open connections on which nothing is ever said, as browsers do to be ready."""
    with clients(serve, 20) as wires:
        mirrored(says(wires[-1], head_of(20)), head_of(20))


TWO_CLIENTS = Exercise(
    name="two-clients",
    chapter=1,
    title="A client who thinks keeps nobody waiting",
    effort=2,
    subject="serve",
    points=(
        Point(
            "two clients, one after the other",
            one_after_the_other,
            "closing the socket in the accept loop: start returns at once, and the thread is still "
            "reading. Or a loop that ends after its first client; that of a server has no end.",
        ),
        Point(
            "a client that thinks, and one that does not",
            thinks,
            "calling mirror in the loop, or giving a thread its result: target=mirror(sock) runs "
            "it here and now. Give the function and its argument apart.",
        ),
        Point(
            "five clients, answered in the reverse order",
            in_reverse,
            "a fixed number of helpers, or waiting for one of them with join. Each client needs "
            "somebody of its own, and the loop goes back to accept at once.",
        ),
        Point(
            "a client that is cut off",
            crashes,
            "letting the error of one client end the loop for all.",
        ),
        Point(
            "the socket is closed, even when mirror has failed",
            closes,
            "closing behind mirror, where an error passes by. A with statement closes whatever "
            "happens. Or leaving it to Python, which closes a socket that nobody holds any more: a "
            "log or a list may hold it, and here the check does.",
        ),
        Point(
            "twenty clients of whom nineteen are silent",
            silent,
            "a pool that is full of silent clients. How many may there be? That is the question of "
            "chapter 05.",
        ),
    ),
    hints=(
        "Your loop has one job: accept. Who could call mirror, if the loop must not wait for it?",
        "threading.Thread(target=..., args=...) makes a thread, start() sends it off. Say "
        "daemon=True, so that a client who never leaves does not keep Python from ending.",
        """
        The shape of it:

            while True:
                sock, address = listener.accept()
                (a thread with target=... and args=(sock,), and start it)

        The function that the thread runs should close the socket when mirror is done, or fails:
        a with statement does.
        """,
    ),
    afterwards="""
        The kernel wakes whichever thread has something to read, so a thread that waits costs some
        memory and no time. Five answers in the reverse order prove it: a server that works in turn
        cannot give them, however long its backlog.

        Does your report name a thread that ended with ConnectionResetError, or another OSError?
        That is the client that was cut off. The error killed its own thread and no other; a try
        around mirror, for OSError, makes it a matter of course.

        Give each thread its socket as an argument. A function that takes `sock` from the loop's own
        variables looks it up when it runs, and by then the loop may hold the next client's.

        Gunicorn's gthread worker does this with a pool of a size that you set, and adds a selector
        for clients that are idle between two requests. Uvicorn starts no thread for a client: one
        event loop asks the kernel which of all the sockets has something to read. Chapter 05
        measures threads, chapter 08 builds the loop.
        """,
    seconds=4.0,
)

EXERCISES = (SPLIT_READS, HALF_CLOSE, ANSWER_GET, TWO_CLIENTS)
