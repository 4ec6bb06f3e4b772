"""Probes of the ASGI table: who waits for whom, and what a stop does to what is under way.

Backpressure is measured where it hurts: the memory of the server's processes.  What the kernel
holds for a connection, some MiB on a loopback, is nobody's fault and not in that number.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import psutil  # type: ignore[import-untyped]  # published without types

from workbench.contracts import Broken
from workbench.contracts.wire import Wire
from workbench.gauntlet.asking import request
from workbench.gauntlet.http2 import code_name
from workbench.gauntlet.websocket import CLOSE, HELLO, closing, opened
from workbench.tcp import push

from . import probes_wsgi
from .features import Finding, feature
from .over_http2 import dial, http2
from .starting import Run, below

asgi = partial(feature, interface="asgi")
MIB = 1 << 20
INITIAL_WINDOW = (
    4  # a setting: octets of content for each stream, 65,535 by default (RFC 9113 §6.5.2)
)
LEAVING = 1001, 1012  # close codes: going away; a restart (RFC 6455 §7.4.1, IANA's registry)
MUCH = 64 * MIB  # bytes that an application would send, if it were let
UPLOAD = 32 * MIB  # bytes that a client would send to an application that takes none
QUIET = 0.4  # seconds without a change after which nothing more is expected
LONGEST = 6.0  # seconds that a server has to go on with what it was told
AT_ONCE = 1.0  # seconds that are not worth a number


# ---------------------------------------------------------------- backpressure


def memory(run: Run) -> int:
    """Return the bytes of memory that a server's processes hold."""
    total = 0
    for process in below(run.pid):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def still(run: Run, token: str, longest: float = LONGEST) -> list[dict[str, Any]]:
    """Wait until the application notes nothing more; return its notes."""
    notes: list[dict[str, Any]] = []
    end, changed = time.monotonic() + longest, time.monotonic()
    while time.monotonic() < min(end, changed + QUIET):
        if len(found := run.left_behind(token)) > len(notes):
            notes, changed = found, time.monotonic()
        time.sleep(0.02)
    return notes


def outward(run: Run, begin: Callable[[str], object]) -> Finding:
    """Let an application send to a client that takes nothing; ``begin`` asks for its path."""
    token, before = run.token(), memory(run)
    begin(f"/endless?most={MUCH}&token={token}")
    notes = still(run, token)
    sent = max([each["sent"] for each in notes if "sent" in each], default=0)
    done = any("done" in each for each in notes)
    grown = max(0, memory(run) - before) / MIB
    seen = f"the application could send {'' if done else 'less than '}"
    seen += f"{sent // MIB + (0 if done else 1)} MiB of {MUCH // MIB}; memory grew by {grown:.1f}"
    return Finding(f"{'takes all' if done else 'waits'}: {grown:+.1f} MiB", seen, not done)


@asgi("backpressure out", source="ASGI HTTP 2.5, Response Body", measured=True)
def backpressure_out(run: Run) -> Finding:
    """How much memory does a client cost that reads nothing of an endless answer?"""
    return outward(run, lambda path: run.connect().send(request(path)))


@http2("backpressure out, HTTP/2", source="RFC 9113 §5.2", measured=True)
def backpressure_out_2(run: Run) -> Finding:
    """How much does a client cost that opens no window for an endless answer over HTTP/2?"""
    return outward(run, dial(run, (INITIAL_WINDOW, 0), greedy=False).ask)


@asgi("backpressure in", source="ASGI HTTP 2.5, Request", measured=True)
def backpressure_in(run: Run) -> Finding:
    """How much of an upload does a server take while its application receives nothing?"""
    token, before = run.token(), memory(run)
    wire = run.connect()
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    head = request(f"/wait?seconds=2&token={token}", f"Content-Length: {UPLOAD}", method="POST")
    wire.send(head)
    took = push(wire.socket, bytes(UPLOAD), QUIET)
    grown = max(0, memory(run) - before) / MIB
    run.open(token)
    whole, begun = took == UPLOAD, any("here" in each for each in run.left_behind(token))
    seen = f"{took / MIB:.1f} MiB of {UPLOAD // MIB} went, the kernel's buffers among them; memory "
    seen += f"grew by {grown:.1f}; the application had {'begun' if begun else 'not begun'}"
    return Finding(f"{'takes all' if whole else 'waits'}: {grown:+.1f} MiB", seen, not whole)


# ---------------------------------------------------------------- one request and the next


@asgi("context variables", source="PEP 567")
def context_variables(run: Run) -> Finding:
    """Does a request see what another one on its connection has left in a context variable?"""
    wire = run.connect()
    wire.send(request("/a/context?say=first") + request("/a/context?say=second"))
    behind = [wire.response().body.decode() for _ in range(2)][1]
    wire = run.connect()
    after = [
        wire.send(request(f"/a/context?say=number{number}")).response().body.decode()
        for number in range(3)
    ][1:]
    own = {behind, *after} == {"nothing"}
    seen = f"pipelined, the second saw {behind!r}; one after the other, {after}"
    return Finding("its own alone" if own else "the next sees them", seen, own)


# ---------------------------------------------------------------- a stop


def when(seconds: float) -> str:
    """Say how long something took, as coarse as it repeats."""
    return "at once" if seconds < AT_ONCE else f"after {seconds:.0f} s"


def gone(run: Run, began: float) -> tuple[float, str]:
    """Wait for the end of a server that was told to stop; return the seconds, and words."""
    ended = run.live.ended_within(max(0.1, began + LONGEST - time.monotonic()))
    seconds = time.monotonic() - began
    return seconds, f"ends {when(seconds)}" if ended else f"up after {LONGEST:.0f} s"


def close_frame(talk: Any) -> tuple[int, str]:
    """Return code and reason of the server's close frame, 0 when the end comes without."""
    try:
        while (frame := talk.hear("the close frame")).opcode != CLOSE:
            pass
    except Broken:
        return 0, "the connection ended" if talk.wire.ended else "nothing came"
    talk.put(closing(frame.code if frame.payload else None))
    left_in_order(talk.wire)
    return frame.code, frame.payload[2:].decode("utf-8", "replace")


def left_in_order(wire: Wire) -> None:
    """Close behind the server, which closes first (RFC 6455 §7.1.1, RFC 9113 §5.4.1)."""
    with suppress(Broken):  # it does not: then we do
        wire.patience = AT_ONCE
        wire.closed("behind the last word")
    wire.close()


@asgi("stop with a WebSocket", source="RFC 6455 §7.4.1: 1001, going away; 1012 in IANA's registry")
def stop_with_a_websocket(run: Run) -> Finding:
    """What does the client of an open WebSocket see at SIGTERM, and does the server end?"""
    with run.other(run.way) as own:
        own.patience, token = LONGEST, own.token()
        talk = opened(own, f"/echo?token={token}")
        talk.put(HELLO).message("the echo")
        began = time.monotonic()
        own.live.stop()
        code, reason = close_frame(talk)
        told, (took, words) = time.monotonic() - began, gone(own, began)
        notes = [each for each in own.left_behind(token) if "told" in each]
    seen = f"close {code or 'none'} {reason!r} after {told:.2f} s; {words} ({took:.2f} s); "
    seen += f"the application was told {notes[0]['code'] if notes else 'nothing'}"
    if option := re.search(r"--\S*graceful\S* \S+", run.server.ways[run.way]):
        seen += f"; started with {option[0]}"
    good = code in LEAVING and words.startswith("ends")
    return Finding(f"{code or 'no close'}, {words}", seen, good)


@asgi("stop with a request that goes on", source="what `docker stop` and Kubernetes wait for")
def stop_with_a_long_request(run: Run) -> Finding:
    """For how long does a server, told to stop, wait for a request that takes nine seconds?"""
    with run.other(run.way) as own:
        own.patience, token = LONGEST, own.token()
        wire = own.connect().send(request(f"/wait?seconds=6&token={token}"))
        _begun(own, token)
        began = time.monotonic()
        own.live.stop()
        saw = _answer(wire)
        told, (took, words) = time.monotonic() - began, gone(own, began)
    seen = f"the client saw {saw} after {told:.2f} s; {words} ({took:.2f} s)"
    if saw == "nothing":
        return Finding(f"waits over {LONGEST:.0f} s", seen, None)
    return Finding(f"{saw} {when(told)}", seen, None)


def _begun(run: Run, token: str) -> None:
    """Wait until a request is with its application; the server is not asked, it may speak h2."""
    end = time.monotonic() + LONGEST
    while not run.left_behind(token):
        if time.monotonic() > end:
            raise Broken(f"the request has not begun after {LONGEST:.0f} s")
        time.sleep(0.01)


def _answer(wire: Wire) -> str:
    """Return what a client sees: a status, the end of the connection, or nothing."""
    try:
        return str(wire.response(whole=False).status) if wire.until_any() else "cut"
    except Broken:
        return "cut" if wire.ended else "nothing"


@http2("stop over HTTP/2", source="RFC 9113 §6.8")
def stop_over_http2(run: Run) -> Finding:
    """At SIGTERM: is a request in flight over HTTP/2 answered, and the client told by GOAWAY?"""
    with run.other(run.way) as own:
        own.patience, token = LONGEST, own.token()
        talk = dial(own)
        reply = talk.replies[talk.ask(f"/wait?token={token}")]
        _begun(own, token)
        began = time.monotonic()
        own.live.stop()
        own.live.ended_within(0.2)
        own.open(token)
        goaway = None  # the first: behind it a server's library may complain of our late frames
        while not talk.ended and time.monotonic() < began + LONGEST:
            try:
                talk.read("the end of the connection")
            except Broken:
                break
            goaway = goaway or talk.goaway
        left_in_order(talk.wire)
        _, words = gone(own, began)
    answered = reply.complete and reply.body == b"opened"
    seen = f"status {reply.status or 'none'}, body {reply.body!r}; "
    seen += f"GOAWAY {code_name(goaway[0]) if goaway else 'none'}; {words}"
    said = f"{'answered' if answered else 'lost'}, {'GOAWAY' if goaway else 'no GOAWAY'}"
    return Finding(said, seen, answered and goaway is not None)


# ---------------------------------------------------------------- several workers: asked as of WSGI

workers = partial(asgi, way="workers", lacks="no workers", measured=True)


@workers("crash of a worker", source="fork(2), waitpid(2)")
def crash(run: Run) -> Finding:
    """A worker ends in the middle of a request: what is lost, and is it replaced?"""
    return probes_wsgi.crash(run)


@workers("graceful reload", source="the docs of each server")
def reload(run: Run) -> Finding:
    """New workers take over while requests come without a pause: how many of them fail?"""
    return probes_wsgi.reload(run)
