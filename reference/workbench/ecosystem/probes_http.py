"""What is asked of every server, whatever its interface: the rows that both tables share."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from functools import partial

from workbench.contracts import Broken
from workbench.contracts.wire import Answer, Wire, request

from .features import Finding, NotAsked, feature
from .looking import (
    CLOSED,
    CROWD,
    NOTHING,
    crowd,
    heard,
    largest,
    line_of,
    noted,
    sized,
    tried,
)
from .starting import Run

http = partial(feature, interface="http")
SOON = 0.7  # seconds for what should come at once
WATCHED = 3.0  # seconds for which a silent connection is watched
STALLED = 19  # heads that stall beside a first one: more than a usual pool has threads
SKY = 1 << 20  # bytes beyond which no limit is looked for


# ---------------------------------------------------------------- one connection, many requests


@http("keep-alive", source="RFC 9112 §9.3")
def keep_alive(run: Run) -> Finding:
    """Is a second HTTP/1.1 request on the same connection answered?"""
    wire = run.connect()
    first = wire.send(request("/ok")).response()
    second, came = heard(wire.send(request("/ok?say=second")))
    seen = f"{line_of(first)}, connection: {first.value('connection')}; then {came}"
    if second is not None and second.body == b"second":
        return Finding("yes", seen, True)
    return Finding("no, and does not say so" if _may_go_on(first) else "no", seen, False)


@http("keep-alive, HTTP/1.0", source="RFC 9112 §9.3, §C.2.2")
def keep_alive_1_0(run: Run) -> Finding:
    """Does a client of HTTP/1.0 that asks for keep-alive get it, and is it told?"""
    ask = partial(request, version="1.0")
    wire = run.connect()
    first = wire.send(ask("/ok", "Connection: keep-alive")).response()
    second, came = heard(wire.send(ask("/ok?say=second", "Connection: keep-alive")))
    told = (first.value("connection") or "").lower()
    seen = f"{line_of(first)}, connection: {told or None}; then {came}"
    if second is None or second.body != b"second":
        return Finding("no", seen, False)
    return Finding("yes" if told == "keep-alive" else "yes, but never says so", seen, True)


@http("pipelining", source="RFC 9112 §9.3.2")
def pipelining(run: Run) -> Finding:
    """Two requests in one packet: are both answered, and in their order?"""
    token = run.token()
    wire = run.connect()
    wire.send(request(f"/wait?token={token}") + request("/ok?say=second"))
    noted(run, token)
    overtaken = wire.readable(0.2)
    run.open(token)
    first, came = heard(wire)
    second, then = heard(wire) if first is not None else (None, "")
    seen = f"first {came}, second {then}" + (", before the first was done" if overtaken else "")
    if first is None or second is None:
        return Finding(f"second lost: {then or came}", seen, False)
    right = (first.body, second.body) == (b"opened", b"second") and not overtaken
    return Finding("both, in order" if right else "out of order", seen, right)


@http("idle connection", source="RFC 9112 §9.5", measured=True)
def idle_connection(run: Run) -> Finding:
    """For how long is a connection kept on which nothing is asked?"""
    return _silence(run)[0]


@http("stalled head", source="RFC 9112 §9.5", measured=True)
def stalled_head(run: Run) -> Finding:
    """For how long does the server wait for the rest of a head, and what does it say then?"""
    return _silence(run)[1]


SILENT: dict[str, tuple[Finding, Finding]] = {}
"""What the silent connections of a server came to: both rows watch the same seconds."""


def _silence(run: Run) -> tuple[Finding, Finding]:
    """Watch two silent connections of a server at once: an idle one and half a head."""
    key = run.known.setdefault("silence", run.token())
    if key not in SILENT:
        idle = run.connect()
        answer = idle.send(request("/ok")).response()
        times = {idle: time.monotonic()} if _may_go_on(answer) else {}
        stalled = run.connect().send(request("/ok")[:-6])
        times[stalled] = time.monotonic()
        ends = _watched(times, time.monotonic() + WATCHED)
        not_kept = Finding("not kept", f"{line_of(answer)}: the last one", None)
        SILENT[key] = _held(idle, ends) if idle in times else not_kept, _held(stalled, ends)
    return SILENT[key]


def _may_go_on(answer: Answer) -> bool:
    """Tell whether another request may follow on the connection (RFC 9112 §9.3)."""
    said = (answer.value("connection") or "").lower()
    return said == "keep-alive" if answer.head.startswith(b"HTTP/1.0") else said != "close"


def _watched(times: dict[Wire, float], until: float) -> dict[Wire, float]:
    """Return after how many seconds each connection has said something or closed."""
    ends: dict[Wire, float] = {}
    while len(ends) < len(times) and (left := until - time.monotonic()) > 0:
        waiting = {wire.socket: wire for wire in times if wire not in ends}
        for sock in select.select(list(waiting), [], [], left)[0]:
            ends[waiting[sock]] = time.monotonic() - times[waiting[sock]]
    return ends


def _held(wire: Wire, ends: dict[Wire, float]) -> Finding:
    """Tell how long a silent connection was held, and what came at its end."""
    if wire not in ends:
        return Finding(f"> {WATCHED:g} s", "nothing came", None)
    wire.patience = 0.3
    answer, came = heard(wire)
    after = "at once" if ends[wire] < 0.3 else f"{ends[wire]:.1f} s"
    seen = line_of(answer) if answer is not None else came
    return Finding(f"{after}, {came}", f"after {ends[wire]:.2f} s: {seen}", None)


# ---------------------------------------------------------------- many at one time


@http("at one time", source="PEP 3333, Thread Support", measured=True)
def at_one_time(run: Run) -> Finding:
    """How many requests are inside the application at one time?"""
    inside = crowd(run)
    processes = len(set(inside))
    most = f"{len(inside)} or more" if len(inside) >= CROWD else str(len(inside))
    seen = f"of {CROWD} requests {len(inside)} were inside together, in {processes} processes"
    return Finding(most, seen, len(inside) > 1)


@http("slow clients", source="RFC 9112 §9.5")
def slow_clients(run: Run) -> Finding:
    """Do clients that stall in the middle of a head hold up the others?"""
    for number, said in ((1, "one holds up all"), (STALLED, f"{STALLED + 1} hold up all")):
        for _ in range(number):
            try:
                run.connect().send(request("/ok")[:-6])
            except Broken:
                break  # it takes no more connections
        time.sleep(0.1)  # or we might ask before they are accepted
        came = tried(run, request("/ok", "Connection: close"))
        if came != "200":
            return Finding(said, f"behind {said.split()[0]} stalled: {came} within 1 s", False)
    return Finding("hold up nobody", f"beside {STALLED + 1} half heads: 200", True)


# ---------------------------------------------------------------- bodies


@http("chunked input", source="RFC 9112 §7.1")
def chunked_input(run: Run) -> Finding:
    """Does a body in chunks reach an application that reads it to its end?"""
    token = run.token()
    wire = run.connect()
    wire.send(request(f"/echo?token={token}", method="POST", chunks=(b"hel", b"lo")))
    answer, came = heard(wire)
    told = run.left_behind(token)
    if answer is None:
        said = "the application hangs" if came == NOTHING else f"no answer: {came}"
        return Finding(said, f"{came}; the application noted {told}", False)
    seen = f"{line_of(answer)}; the application read {[each.get('body') for each in told]}"
    if answer.status != 200:
        return Finding(f"refused, {came}", seen, False)
    named = {b"hello": "arrives", b"": "arrives empty"}
    said = named.get(answer.body, "arrives, framing and all")
    return Finding(said, seen, answer.body == b"hello")


@http("upload", source="PEP 3333, Input and Error Streams; ASGI HTTP 2.5, Request")
def upload(run: Run) -> Finding:
    """May the application read an upload while it comes, or is it called behind its end?"""
    token = run.token()
    line, rest = b"first line\n" + b"x" * 150_000, b"y" * 50_000
    sent = request(f"/upload?token={token}", f"Content-Length: {len(line + rest)}", method="POST")
    wire = run.connect().send(sent + line)
    early = noted(run, token, "part", SOON)
    came = heard(wire.send(rest))[1]
    seen = f"of 200,011 bytes the first 150,011: {'read' if early else 'not read'}; then {came}"
    return Finding("as it comes" if early else "when all is there", seen, early is not None)


@http("streaming out", source="PEP 3333, Buffering and Streaming; ASGI HTTP 2.5, Response Body")
def streaming_out(run: Run) -> Finding:
    """Does a block leave before the next one is there, and how is the body framed?"""
    token = run.token()
    wire = run.connect().send(request(f"/steps?token={token}"))
    wire.patience = SOON
    try:
        wire.wait_for(b"first", "the first block")
        early = True
    except Broken:
        early = False
    run.open(token)
    wire.patience = run.patience
    answer = wire.response()
    said = f"{'at once' if early else 'all at the end'}, {_framed(answer)}"
    return Finding(said, f"{line_of(answer)}; {answer.chunks or answer.body!r}", early)


def _framed(answer: Answer) -> str:
    return {"close": "until close"}.get(answer.framing, answer.framing)


@http("no length, HTTP/1.0", source="RFC 9112 §6.1, §6.3")
def no_length_1_0(run: Run) -> Finding:
    """How is content of unknown length framed for a client that knows no chunks?"""
    answer, came = heard(run.connect().send(request("/stream?blocks=one,two", version="1.0")))
    if answer is None:
        return Finding(came, f"came: {came}", False)
    seen = f"{line_of(answer)}, {answer.framing}: {answer.body!r}"
    good = answer.framing != "chunked" and answer.body == b"onetwo"
    return Finding(_framed(answer), seen, good)


@http("HEAD", source="RFC 9110 §9.3.2")
def head(run: Run) -> Finding:
    """Is the content left out of the answer to HEAD, of known length and of unknown?"""
    with_content, seen = [], []
    for target, what in (("/ok", "known"), ("/stream?blocks=one,two", "unknown")):
        wire = run.connect().send(request(target, "Connection: close", method="HEAD"))
        answer = wire.response(head_only=True)
        try:
            more = wire.closed("the end of an answer to HEAD")
        except Broken:
            more = bytes(wire.buf)
        with_content += [what] if more else []
        length = answer.value("content-length") or answer.value("transfer-encoding")
        seen.append(f"{what} length: {length}, behind the head {more!r}")
    said = {"": "head alone", "known": "content of known length", "unknown": "content if streamed"}
    what = " ".join(with_content)
    return Finding(said.get(what, "with the content"), "; ".join(seen), not with_content)


# ---------------------------------------------------------------- 100 (Continue)


@http("100-continue", source="RFC 9110 §10.1.1")
def continue_100(run: Run) -> Finding:
    """When is a client told to go on: at once, when the application reads, or never?"""
    token = run.token()
    fields = "Expect: 100-continue", "Content-Length: 5"
    wire = run.connect().send(request(f"/late?token={token}", *fields, method="POST"))
    inside = noted(run, token, "here", SOON) is not None
    early = wire.readable(0.2)
    run.open(token)
    first, came = heard(wire) if early or wire.readable(SOON) else (None, NOTHING)
    answer: Answer | None = first
    if first is None or first.status == 100:
        answer, came = heard(wire.send(b"hello"))
    seen = f"100: {'before' if early else 'not before'} the application reads, which "
    seen += f"{'was' if inside else 'was not'} running by then; at last {came}"
    if answer is None or answer.body != b"hello":
        return Finding(f"refused, {came}", seen, False)
    said = "at once" if early else "when the body is read"
    return Finding(said if first is not None else "never", seen, first is not None)


@http("Expect, unread", source="RFC 9110 §10.1.1")
def expect_unread(run: Run) -> Finding:
    """Is the body asked for, although the application answers without it?"""
    # An origin server MUST send a final status or an immediate 100, so either is right; it must not
    # wait for the body before that (RFC 9110 §10.1.1).
    fields = "Expect: 100-continue", "Content-Length: 5"
    wire = run.connect().send(request("/ok", *fields, method="POST"))
    wire.patience = 1.0
    first, came = heard(wire)
    if first is not None and first.status == 100:
        last = heard(wire.send(b"hello"))[1]
        return Finding(f"100, then {last}", f"100, the body, {last}", None)
    if first is None:
        last = heard(wire.send(b"hello"))[1]
        return Finding(f"waits, then {last}", f"{came} until the body was there; {last}", False)
    wire.patience = SOON
    then = heard(wire)[1]
    after = "closes" if then in (CLOSED, "reset") else "stays open"
    return Finding(f"{came}, {after}", f"{line_of(first)}; then {then}", None)


# ---------------------------------------------------------------- limits


def _limit(
    run: Run, sent: Callable[[int], bytes], first: int, cap: int, name: Callable[[int], str]
) -> Finding:
    """Tell the largest that is taken, and how more is refused."""
    size, beyond = largest(run, sent, first, cap)
    if not beyond:
        return Finding(f"> {name(cap)}", f"{name(cap)} were taken", False)
    return Finding(f"{name(size)}, then {beyond}", f"{size} taken; one more: {beyond}", True)


# What a server takes beyond its limit can depend on how much one of its reads brings, or, where one
# buffer holds all that is known of a request, on the length of this machine's name: measured.


@http("longest request line", source="RFC 9112 §3", measured=True)
def longest_line(run: Run) -> Finding:
    """How long a request line is taken, in bytes without its CRLF, and what is said to more?"""
    around = len("GET /ok? HTTP/1.1")
    return _limit(run, lambda size: _asked(f"/ok?{'a' * (size - around)}"), 1024, SKY, sized)


@http("longest field", source="RFC 9110 §5.4, RFC 6585 §5", measured=True)
def longest_field(run: Run) -> Finding:
    """How long a value of one field is taken, in bytes, and what is said to more?"""
    return _limit(run, lambda size: _asked("/ok", f"X-Long: {'a' * size}"), 1024, SKY, sized)


@http("most fields", source="RFC 6585 §5", measured=True)
def most_fields(run: Run) -> Finding:
    """How many fields are taken, and what is said to more?"""
    # Two are there already: Host and Connection.
    return _limit(
        run, lambda count: _asked("/ok", *[f"X-{n}: y" for n in range(count - 2)]), 16, 4096, str
    )


def _asked(target: str, *fields: str) -> bytes:
    return request(target, *fields, "Connection: close")


# ---------------------------------------------------------------- the answer itself, and the end


@http("Date and Server", source="RFC 9110 §6.6.1, §10.2.4")
def date_and_server(run: Run) -> Finding:
    """Does an answer tell the time, and whose it is?"""
    answer = run.ask(request("/ok"))
    date, server = answer.value("date"), answer.value("server")
    said = f"{'Date' if date else 'no Date'}, {server.split()[0] if server else 'no Server'}"
    return Finding(said[:24], f"date: {date}; server: {server}", date is not None)


@http("graceful stop", source="the docs of each server; systemd.kill(5)", measured=True)
def graceful_stop(run: Run) -> Finding:
    """SIGTERM while a request runs: is it finished, and who comes meanwhile let in?"""
    with run.other(run.way) as fresh:
        token = fresh.token()
        wire = fresh.connect().send(request(f"/wait?seconds=2&token={token}"))
        if noted(fresh, token, seconds=3.0) is None:
            raise NotAsked("the request did not reach the application")
        fresh.live.stop()
        wire.readable(0.3)  # long enough to hear the signal; a server that cuts does so now
        meanwhile = _meanwhile(fresh)
        fresh.open(token)
        answer, came = heard(wire)
        wire.close()  # or a server that reads on until its client has closed would wait for us
        began = time.monotonic()
        gone = fresh.live.ended_within(5.0)
        after = f"in {time.monotonic() - began:.1f} s" if gone else "not in 5 s"
    done = answer is not None and answer.body == b"opened"
    seen = f"the request: {came}; who came meanwhile: {meanwhile}; gone {after}"
    said = f"finished; gone {after}" if done else f"cut off: {came}"
    return Finding(said, seen, done)


def _meanwhile(run: Run) -> str:
    """Tell what a client meets that comes while the server stops."""
    try:
        with socket.create_connection(run.live.address[:2], 0.3) as sock:
            sock.sendall(request("/ok", "Connection: close"))
            return "answered" if sock.recv(100) else CLOSED
    except ConnectionRefusedError:
        return "refused"
    except ConnectionResetError:
        return "reset"
    except OSError:
        return "waits"
