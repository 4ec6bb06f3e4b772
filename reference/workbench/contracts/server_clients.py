"""Chapter 5: many clients, slow clients, silent clients, and the end of the server."""

from __future__ import annotations

import hashlib
import threading
from contextlib import ExitStack
from typing import Any

from . import Broken, case
from .probes import TEXT, Closing, Probe, expect, moment, ok, raw, same
from .wire import PATIENCE, Wire, ask, request, up

TOGETHER = 4  # requests at a time: every server of several threads has so many
SILENT = 40  # clients that hold a connection and do nothing: more than threads
HURRY = 0.5  # seconds: what a server that drops its clients when it stops takes to do so, at most
BOUND = 4.0  # seconds: far more than an impatient server waits for anybody, with room for a sweep


@case("server", "in turn", "RFC 9110 §3.3", 5)
def in_turn(server: Any) -> None:
    """Clients that ask at the same time are all answered, each with its own answer."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        return ok(start_response, environ["PATH_INFO"].encode())

    with up(server, app) as connect:
        wires = [connect() for _ in range(SILENT)]
        for number, wire in enumerate(wires):
            wire.send(request(f"/{number}", "Connection: close"))
        for number, wire in enumerate(wires):
            same(wire.response().body, b"/%d" % number, "the answer to another client")


@case("server", "in reverse", "Course, who asks first is served first", 5, needs={"threads"})
def in_reverse(server: Any) -> None:
    """Connections are served in the order in which they ask, not in which they were opened."""
    with up(server, Probe()) as connect:
        wires = [connect() for _ in range(SILENT)]
        for wire in reversed(wires):
            same(wire.send(request()).response().status, 200, "the last connection asks first")
        for wire in reversed(wires):
            same(wire.send(request()).response().status, 200, "and once more")


@case("server", "together", "PEP 3333, Thread Support", 5, needs={"threads"})
def together(server: Any) -> None:
    """Several requests run at one time: each waits in the application until all are there."""
    everybody = threading.Barrier(TOGETHER)
    patience = getattr(server, "patience", PATIENCE)

    def app(environ: Any, start_response: Any) -> list[bytes]:
        try:
            everybody.wait(patience)
        except threading.BrokenBarrierError:
            return ok(start_response, b"alone")
        return ok(start_response, b"together")

    with up(server, app) as connect:
        wires = [connect() for _ in range(TOGETHER)]
        for wire in reversed(wires):
            wire.send(request())
        answers = [wire.response().body for wire in wires]
    same(answers, [b"together"] * TOGETHER, f"{TOGETHER} requests do not run at the same time")


@case("server", "nothing is mixed", "PEP 3333, Thread Support", 5)
def nothing_is_mixed(server: Any) -> None:
    """Uploads that arrive in pieces, in turn, keep apart."""
    bodies = [bytes([65 + number]) * 30_000 for number in range(TOGETHER)]

    def app(environ: Any, start_response: Any) -> list[bytes]:
        body = b"".join(iter(lambda: environ["wsgi.input"].read(1000), b""))
        return ok(start_response, hashlib.sha256(body).hexdigest().encode())

    with up(server, app) as connect:
        wires = [connect() for _ in bodies]
        for start in range(0, 40_000, 10_000):
            for wire, body in zip(wires, bodies, strict=True):
                sent = request("/", "Connection: close", method="POST", body=body)
                wire.send(sent[start : start + 10_000])
        for wire, body in zip(wires, bodies, strict=True):
            wanted = hashlib.sha256(body).hexdigest().encode()
            same(wire.response().body, wanted, "one upload is not what was sent")


@case("server", "a silent client", "RFC 9112 §9.5", 5, needs={"timeouts"})
def a_silent_client(server: Any) -> None:
    """A client that connects and says nothing is not waited for without end."""
    with up(server, Probe(), impatient=True) as connect:
        silent = connect()
        same(connect().send(request()).response().status, 200, "the client behind a silent one")
        same(silent.closed("its client says nothing"), b"", "a silent client was answered")


@case("server", "an idle client", "RFC 9112 §9.5", 5, needs={"timeouts"})
def an_idle_client(server: Any) -> None:
    """A client that has had its answer and keeps the line is not waited for without end."""
    with up(server, Probe(), impatient=True) as connect:
        idle = connect().send(request())
        idle.response()
        same(connect().send(request()).response().status, 200, "the client behind an idle one")
        same(idle.closed("its client asks nothing more"), b"", "an idle client was answered")


def others_are_served(server: Any, begin: bytes, *, answered: int = 0) -> None:
    """Demand that clients who have sent ``begin`` and then stall hold up nobody."""
    with up(server, Probe()) as connect:
        for _ in range(SILENT):
            wire = connect().send(begin)
            for _ in range(answered):
                wire.response()
        answer = connect().send(request("/other")).response()
    same(answer.status, 200, f"the client behind {SILENT} slow ones")


@case("server", "many silent clients", "RFC 9112 §9.5", 5, needs={"threads"})
def many_silent_clients(server: Any) -> None:
    """More silent clients than threads hold up nobody."""
    others_are_served(server, b"")


@case("server", "many idle clients", "RFC 9112 §9.5", 5, needs={"threads"})
def many_idle_clients(server: Any) -> None:
    """More idle keep-alive clients than threads hold up nobody."""
    others_are_served(server, request(), answered=1)


@case("server", "many slow heads", "RFC 9112 §9.5", 5, needs={"threads"})
def many_slow_heads(server: Any) -> None:
    """More clients in the middle of a head than threads hold up nobody."""
    others_are_served(server, request()[:-2])


@case("server", "many slow bodies", "RFC 9112 §9.5", 5, needs={"threads"})
def many_slow_bodies(server: Any) -> None:
    """More clients in the middle of a short body than threads hold up nobody."""
    others_are_served(server, request("/", "Content-Length: 10", method="POST") + b"hello")


@case("server", "many slow readers", "RFC 9112 §9.5", 5, needs={"threads"})
def many_slow_readers(server: Any) -> None:
    """More clients that do not read a long answer than threads hold up nobody."""

    @raw
    def app(environ: Any, start_response: Any) -> list[bytes]:
        return ok(start_response, b"x" * (8_000_000 if environ["PATH_INFO"] == "/long" else 1))

    with up(server, app) as connect:
        for _ in range(TOGETHER * 3):
            wire = connect()
            wire.send(request("/long")).until(b"x" * 100, "the beginning of a long answer")
        same(connect().send(request("/short")).response().body, b"x", "the client behind them")


@case("server", "a stalled head", "RFC 9110 §15.5.9", 5, needs={"timeouts"})
def a_stalled_head(server: Any) -> None:
    """A head that does not go on is given up, with 408 or without a word."""
    _given_up(server, request()[:-2])


@case("server", "a stalled body", "RFC 9110 §15.5.9", 5, needs={"timeouts"})
def a_stalled_body(server: Any) -> None:
    """A body that does not go on is given up, with 408 or without a word."""
    _given_up(server, request("/", "Content-Length: 10", method="POST") + b"hello")


@case("server", "a stalled upload", "RFC 9110 §15.5.9", 5, needs={"timeouts"})
def a_stalled_upload(server: Any) -> None:
    """A long upload, or a chunked one, that does not go on is given up: it is no fault of ours."""
    _given_up(server, request("/", "Content-Length: 9000000", method="POST") + b"hello" * 20_000)
    sent = request("/", "Transfer-Encoding: chunked", method="POST")
    _given_up(server, sent + b"5\r\nhello\r\n5\r\n")


def _given_up(server: Any, begin: bytes) -> None:
    """Demand that a request that stalls ends, that it is not served, and that others are."""
    probe = Probe(lambda environ: environ["wsgi.input"].read(-1))
    with up(server, probe, impatient=True) as connect:
        wire = connect().send(begin)
        _patient(wire)
        came = wire.closed("its client has stalled")
        expect(
            not came or came.startswith(b"HTTP/1.1 408 "),
            "a client that stalls is answered with 408 or not at all",
            sent=begin[:200],
            got=came,
        )
        same(connect().send(request()).response().status, 200, "the next client")
    same(probe.results, [b""], "half a request was served")


def _patient(wire: Wire) -> None:
    """Wait for this one longer than for others."""
    wire.patience = max(wire.patience, BOUND)


@case("server", "a trickling head", "RFC 9110 §15.5.9", 5, needs={"timeouts"})
def a_trickling_head(server: Any) -> None:
    """A head that comes a byte now and then ends too: slow-loris lives on patience per byte."""
    sent = request("/", "X-Slow: " + "a" * 200)
    with up(server, Probe(), impatient=True) as connect:
        wire = connect()
        for position in range(len(sent) - 3):
            wire.send(sent[position : position + 1])
            if wire.was_reset or wire.readable(0.05):
                break
        else:
            raise Broken(f"the server waits for a head as long as a byte comes now and then: "
                         f"{len(sent) * 0.05:.0f} s so far", sent=sent)  # fmt: skip
        same(connect().send(request()).response().status, 200, "the next client")


@case("server", "a stalled reader", "RFC 9112 §9.5", 5, needs={"timeouts"})
def a_stalled_reader(server: Any) -> None:
    """A client that does not read its stream is given up: close() is called."""
    closed = moment(server, "close() of a stream that nobody reads")
    closed.patience = max(closed.patience, BOUND)

    def endless() -> Any:
        while not closed:
            yield b"x" * 65536

    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != "/endless":
            return ok(start_response)
        start_response("200 OK", [TEXT])
        return Closing(endless(), closed)

    with up(server, app, impatient=True) as connect:
        connect().send(request("/endless")).until(b"x", "the beginning of the stream")
        closed.wait()
        same(connect().send(request()).response().status, 200, "the next client")


@case("server", "a busy server", "RFC 9112 §9.5", 5, needs={"timeouts"})
def a_busy_server(server: Any) -> None:
    """A request that came in time is answered, however long the server was busy with others."""
    running = moment(server, "the slow request to run")
    never = threading.Event()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/slow":
            running.happens()
            never.wait(1.5)  # longer than an impatient server waits for a client
        return ok(start_response, environ["PATH_INFO"].encode())

    with up(server, app, impatient=True) as connect:
        waiting = connect().send(request("/first"))
        waiting.response()
        slow = connect().send(request("/slow"))
        running.wait()
        waiting.send(request("/in-time"))
        same(slow.response().body, b"/slow", "the slow request")
        same(waiting.response().body, b"/in-time", "the request that came meanwhile")


# ---------------------------------------------------------------- the end


@case("server", "a graceful stop", "RFC 9112 §9.6", 5, needs={"graceful"})
def a_graceful_stop(server: Any) -> None:
    """A request that runs when the server is told to stop is answered to its end."""
    running = moment(server, "the request to run")
    told = moment(server, "the server to be told to stop")

    @raw
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])
        yield b"first "
        running.happens()
        told.wait()
        yield b"last"

    patience = getattr(server, "patience", PATIENCE)
    with ExitStack() as stack:
        service = stack.enter_context(ExitStack())
        address = service.enter_context(server.serve(app))
        wire = stack.enter_context(Wire(address, patience))
        wire.send(request())
        running.wait()
        wire.wait_for(b"first ", "the first block")
        stop = threading.Thread(target=service.close, daemon=True)
        stop.start()
        wire.hears_more(HURRY)  # a server that cuts its clients off does so before the app goes on
        told.happens()
        answer = wire.response()
        wire.closed("it stops")
        stop.join(patience)
        expect(not stop.is_alive(), f"the server has not stopped after {patience:g} s")
    same(answer.body, b"first last", "the response that was under way")


@case("server", "stopped is stopped", "RFC 9112 §9.6", 5, needs={"graceful"})
def stopped_is_stopped(server: Any) -> None:
    """A server that has stopped listens no more, and its idle connections are closed."""
    patience = getattr(server, "patience", PATIENCE)
    with ExitStack() as stack:
        with server.serve(Probe()) as address:
            idle = stack.enter_context(Wire(address, patience))
            idle.send(request()).response()
        same(idle.closed("the server has stopped"), b"", "an idle client was answered")
        try:
            Wire(address, patience).close()
        except Broken:
            return
    raise Broken("a server that has stopped still accepts clients")


@case("server", "late bytes behind the last request", "RFC 9112 §9.6", 5)
def late_bytes_behind_the_last_request(server: Any) -> None:
    """A client that sends on while its last answer is on the way still gets all of that answer."""
    running = moment(server, "the request to run")
    sent = moment(server, "the late bytes to be sent")
    body = bytes(3_000_000)

    def app(environ: Any, start_response: Any) -> list[bytes]:
        running.happens()
        sent.wait()
        return ok(start_response, body)

    with up(server, app) as connect:
        wire = connect().send(request("/", "Connection: close"))
        running.wait()
        wire.send(request("/too-late"))
        sent.happens()
        wire.hears_more(1.0)  # now the answer is on its way, and has filled every buffer
        same(len(wire.response().body), len(body), "the length of the last answer")


@case("server", "a slow start", "RFC 9112 §9.5", 5)
def a_slow_start(server: Any) -> None:
    """A client that connects long before it asks is served none the worse."""
    with up(server, Probe()) as connect:
        first = connect()
        for _ in range(3):
            connect().send(request("/", "Connection: close")).response()
        first.send(request())
        if first.until_any():
            same(first.response().status, 200, "the client that came first")
    same(ask(server, Probe(), request()).status, 200, "another server")
