"""Probes of the ASGI table: which versions of HTTP a server speaks, and how well.

Whether a protocol is spoken is asked over the wire, never of an option: ALPN tells what TLS agreed
on, SETTINGS answer the preface of HTTP/2, and a server of QUIC answers a packet of an unknown
version with those that it knows.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from functools import partial

from workbench.certificates import certificate
from workbench.contracts import Broken
from workbench.contracts.http2_client import PREFACE
from workbench.fetching import answers3
from workbench.gauntlet.asking import request
from workbench.gauntlet.http2 import (
    DATA,
    PING,
    SETTINGS,
    SETTLED,
    Connection,
    code_name,
    connected,
    frame,
    head,
    reset,
)
from workbench.gauntlet.websocket import HELLO

from .features import Finding, feature
from .over_http2 import best, cannot, dial, http2
from .probes_asgi import used
from .probes_asgi_ends import still
from .secure import Secure
from .starting import Run

asgi = partial(feature, interface="asgi")
STREAMS, EXTENDED_CONNECT = 3, 8  # settings (RFC 9113 §6.5.2, RFC 8441 §3)
AT_ONCE = 20  # streams that are asked for together
RESETS = 2000  # streams that a flood opens and resets
BATCH = 100
ECHO = b"\x81\x05Hello"
WHOLE = 2.0  # seconds for an answer that needs no more than a message
QUIC = 1.0  # seconds that a server of QUIC has to show itself
UNKNOWN = (bytes.fromhex("c0 1a2a3a4a 08") + b"probing." + b"\x08" + b"ourself.").ljust(1200, b"\0")
"""A packet of QUIC, of a version that nobody speaks, 1,200 bytes long (RFC 9000 §6, §14.1)."""


# ---------------------------------------------------------------- which are spoken


@asgi("HTTP/2 over TLS", source="RFC 9113 §3.2", way="tls", lacks="no TLS")
def http2_over_tls(run: Run) -> Finding:
    """Is HTTP/2 agreed on by ALPN inside TLS, and a request answered over it?"""
    secure = Secure(run, ("h2", "http/1.1"))
    wire = secure.connect()
    chosen = f"{secure.version}; offered h2, http/1.1, the server chose {secure.agreed}"
    if secure.agreed != "h2":
        answer = wire.send(request("/ok")).response()
        seen = f"{chosen}; HTTP/1.1 is answered with {answer.status}"
        return Finding(f"{secure.agreed or 'no ALPN: HTTP/1.1'}", seen, False)
    reply = connected(secure).get("/ok")  # type: ignore[arg-type]  # all that it asks of an Asking
    return Finding("h2, by ALPN", f"{chosen}; answered with {reply.status}", reply.status == 200)


@asgi("HTTP/2 without TLS", source="RFC 9113 §3.3")
def http2_without_tls(run: Run) -> Finding:
    """Is HTTP/2 spoken by prior knowledge, without TLS?"""
    with best(run, "h2c") as it:
        wire = it.connect().send(PREFACE + frame(SETTINGS))
        came = bytes(wire.buf[:40]) if wire.until_any() else b""
        if came[3:9] != bytes((SETTINGS, 0, 0, 0, 0, 0)):
            return Finding("no", f"the answer to the preface begins with {came!r}", False)
        reply = connected(it).get("/ok")
        options = _options(it)
    seen = f"SETTINGS {came[:9].hex(' ')}, then status {reply.status}; {options}"
    return Finding("yes", seen, reply.status == 200)


def _options(run: Run) -> str:
    """Tell whether the way that speaks HTTP/2 is the plain one."""
    plain, now = run.server.ways.get("plain"), run.server.ways[run.way]
    return "as it is started plainly" if now == plain else "by options of its own"


@http2("HTTP/1.1 on the same port", source="RFC 9113 §3.2, §3.3")
def http1_beside(run: Run) -> Finding:
    """Does the port that speaks HTTP/2 speak HTTP/1.1 too?"""
    two = dial(run).get("/ok").status
    over = Secure(run, ("http/1.1",)) if run.way == "tls" else run
    wire = over.connect().send(request("/ok"))
    try:
        answer = wire.response(whole=False)
    except Broken as broken:
        return Finding("no", f"HTTP/2: {two}; HTTP/1.1: {broken.got!r}"[:200], False)
    good = (two, answer.status) == (200, 200)
    seen = f"HTTP/2: {two}; HTTP/1.1: {answer.head.splitlines()[0]!r}"
    where = "over TLS" if run.way == "tls" else "without TLS"
    return Finding(f"yes, {where}" if good else f"{answer.status}", seen, good)


@http2("a GET that reads, HTTP/2", source="ASGI HTTP 2.5, Request: more_body; RFC 9113 §8.1")
def get_that_reads(run: Run) -> Finding:
    """Does an application that receives first, as frameworks do, get a message for a bare GET?"""
    talk = dial(run)
    talk.wire.patience = WHOLE
    reply = talk.replies[talk.ask("/a/messages")]
    try:
        talk.until(lambda: reply.over, "the end of the response")
    except Broken as broken:
        beside = dial(run).get("/echo", b"x")
        seen = f"{broken.problem}; a POST with content, beside it: {beside.status} {beside.body!r}"
        return Finding("no message comes", seen, False)
    messages = [each["message"] for each in json.loads(reply.body)] if reply.complete else []
    empty = bool(messages) and not any(each["body"] for each in messages)
    seen = f"status {reply.status}; the application received {messages}"
    return Finding("answered" if empty else f"{len(messages)} messages", seen, empty)


@asgi("versions told", source="ASGI HTTP 2.5, HTTP Connection Scope: http_version")
def versions_told(run: Run) -> Finding:
    """What does scope["http_version"] say for HTTP/1.0, 1.1 and 2?"""
    found = []
    for version in ("1.0", "1.1"):
        told = run.facts(version=version)["scope"]["http_version"]
        found.append((version, told))
    with best(run, "h2c", "tls") as it:
        if not cannot(it):
            found.append(("2", dial(it).told("/facts")["scope"]["http_version"]))
    seen = ", ".join(f"HTTP/{version}: {told!r}" for version, told in found)
    right = all(version == told for version, told in found)
    return Finding(", ".join(str(told) for _, told in found), seen, right)


@asgi("HTTP/3", source="RFC 9114 §3.1: Alt-Svc, or QUIC on the same port")
def http3(run: Run) -> Finding:
    """Is HTTP/3 spoken: does a client find it, and get an answer over QUIC?"""
    with best(run, "h3", "tls") as it:
        told = _alt_svc(it)
        found = re.search(r'h3="[^"]*:([0-9]+)"', told)
        address = it.live.address[0], int(found[1]) if found else it.live.address[1]
        versions = quic_versions(address)
        seen = f"Alt-Svc: {told or 'none'}; UDP {'announced' if found else 'same port'}: {versions}"
        if not versions.startswith("version"):
            return Finding("no", seen, False)
        path = "/facts"
        answer = asyncio.run(answers3(address, [path], certificate().ca))[0]
    said = f"yes, {'by Alt-Svc' if found else 'not announced'}"
    version = re.search(rb'"http_version": "([^"]*)"', answer.body)
    seen += f"; GET {path}: {answer.status}, http_version {version[1]!r}" if version else ""
    return Finding(said, seen, answer.status == 200)


def _alt_svc(run: Run) -> str:
    """Return what a server announces of itself to a client of HTTP/1.1."""
    secure = run.way in ("tls", "h3")
    answer = Secure(run, ("http/1.1",)).ask("/ok") if secure else run.ask(request("/ok"))
    return answer.value("alt-svc") or ""


def quic_versions(address: tuple[str, int]) -> str:
    """Ask for the versions of QUIC that are spoken on a UDP port (RFC 9000 §6); return words."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(QUIC)
        sock.connect(address)
        sock.send(UNKNOWN)
        try:
            came = sock.recv(2000)
        except TimeoutError:
            return "silence"
        except OSError:
            return "nobody listens"
    if came[0] & 0x80 and came[1:5] == bytes(4):  # RFC 9000 §17.2.1: Version Negotiation
        rest = came[5 + 1 + came[5] :]
        rest = rest[1 + rest[0] :]
        return "versions " + ", ".join(rest[at : at + 4].hex() for at in range(0, len(rest), 4))
    return f"something else: {came[:20].hex()}"


# ---------------------------------------------------------------- what it can do over HTTP/2


@http2("WebSocket over HTTP/2", source="RFC 8441")
def websocket_over_http2(run: Run) -> Finding:
    """Can a stream of HTTP/2 become a WebSocket, and does it echo?"""
    talk = dial(run)
    talk.settled()
    offered = talk.settings.get(EXTENDED_CONNECT, 0)
    fields = [*head("/echo", method=b"CONNECT"), (b":protocol", b"websocket"),
              (b"sec-websocket-version", b"13")]  # fmt: skip
    seen = f"SETTINGS_ENABLE_CONNECT_PROTOCOL {offered}; "
    reply = talk.replies[stream := talk.ask(fields, end=False)]
    try:
        talk.until(lambda: reply.status or reply.over or talk.goaway, "an answer to CONNECT")
        if reply.status == 200:
            talk.put(frame(DATA, 0, stream, HELLO))
            talk.until(lambda: len(reply.body) >= len(ECHO) or reply.over, "the echo")
    except Broken as broken:
        seen += f"{broken.problem[:80]}; "
    ended = code_name(talk.goaway[0]) if talk.goaway else code_name(reply.reset)
    seen += f"CONNECT: status {reply.status or 'none'}, reset {ended}, {reply.body[:20]!r}"
    if reply.body == ECHO:
        return Finding("yes" if offered else "yes, not offered", seen, bool(offered))
    return Finding("offered, no echo" if offered else "no", seen, False)


@http2(
    "trailers over HTTP/2", source="ASGI Extensions, HTTP Trailers: to whom says TE; RFC 9113 §8.1"
)
def trailers_over_http2(run: Run) -> Finding:
    """Do an application's trailers come behind the content: to all, or to whom asks by TE?"""
    offered = "http.response.trailers" in (
        dial(run).told("/facts")["scope"].get("extensions") or {}
    )
    to_all, seen_all = _trailers(run)
    asked, seen_asked = _trailers(run, (b"te", b"trailers"))
    seen = f"offered: {offered}; without TE: {seen_all}; with TE: trailers: {seen_asked}"
    said = "yes, even unasked" if to_all else "yes, to whom says TE" if asked else "no"
    if not asked and offered:
        said = "offered, do nothing"
    return Finding(said, seen, asked and offered)


def _trailers(run: Run, *fields: tuple[bytes, bytes]) -> tuple[bool, str]:
    """Ask for a response with a trailer; return whether it came, and what did."""
    talk, token = dial(run), run.token()
    reply = talk.replies[talk.ask(head(f"/a/trailers?token={token}", *fields))]
    try:
        talk.until(lambda: reply.over, "the end of the response")
    except Broken as broken:
        return False, broken.problem[:80]
    raised = [each["raised"] for each in run.left_behind(token) if each.get("raised")]
    came = [(name.decode(), value.decode()) for name, value in reply.trailers]
    return bool(came), f"{came}{f', send raised {raised}' if raised else ''}"


@http2("early hints over HTTP/2", source="ASGI Extensions, Early Hints; RFC 8297 §2")
def early_hints_over_http2(run: Run) -> Finding:
    """Does a 103 with the links of the application come before the answer, over HTTP/2?"""
    offered = "http.response.early_hint" in (
        dial(run).told("/facts")["scope"].get("extensions") or {}
    )
    talk, token = dial(run), run.token()
    reply = talk.answer(talk.ask(f"/a/hint?token={token}"), whole=False)
    found = [each["raised"] for each in run.left_behind(token) if "raised" in each]
    raised = found[0] if found else None
    works = reply.interim == [103] and reply.status == 200
    seen = f"interim {reply.interim}, then {reply.status or 'none'}; "
    seen += f"send raised {raised or 'nothing'}"
    return Finding(used(offered, works, raised), seen, works)


@http2("streams at once", source="RFC 9113 §5.1.2")
def streams_at_once(run: Run) -> Finding:
    """Do twenty requests on one connection run at the same time?"""
    talk, token = dial(run), run.token()
    talk.settled()
    most = talk.settings.get(STREAMS)
    streams = [talk.ask(f"/together?n={AT_ONCE}&token={token}") for _ in range(AT_ONCE)]
    bodies = []
    for stream in streams:
        reply = talk.answer(stream, whole=False)
        bodies.append(reply.body if reply.complete else code_name(reply.reset).encode())
    together = bodies.count(b"together")
    seen = f"SETTINGS_MAX_CONCURRENT_STREAMS {most}; {sorted(set(bodies))}"
    said = f"{together} of {AT_ONCE}, {'no limit' if most is None else f'limit {most}'}"
    return Finding(said, seen, together == AT_ONCE)


@http2("rapid reset", source="CVE-2023-44487; RFC 9113 §10.5")
def rapid_reset(run: Run) -> Finding:
    """What happens to a client that opens two thousand streams and resets each at once?"""
    talk, token = dial(run), run.token()
    sent = _flood(talk, token)
    begun = sum("here" in each for each in still(run, token, 2.0))
    beside = dial(run).get("/ok").status
    word = code_name(talk.goaway[0]) if talk.goaway else "no GOAWAY"
    ended = talk.ended or talk.goaway is not None
    seen = f"{sent} sent, {word if ended else 'it goes on'}; {begun} applications begun; "
    seen += f"a client beside it: {beside}"
    said = f"cut by {sent}, {'GOAWAY' if talk.goaway else 'no GOAWAY'}" if ended else "goes on"
    return Finding(said, seen, begun <= RESETS // 4)


def _flood(talk: Connection, token: str) -> int:
    """Open and reset streams until the server ends that, or all are sent; return how many.

    A ping behind each hundred is answered when they were read: so nothing of what the server says
    is lost to the reset with which it may close.
    """
    sent = 0
    while sent < RESETS and not talk.goaway and not talk.ended:
        sent += BATCH
        flood = bytearray()
        for _ in range(BATCH):
            stream = talk.next
            flood += talk.request(f"/wait?token={token}") + reset(stream)
        pongs = len(talk.pongs)
        talk.wire.send(bytes(flood) + frame(PING, 0, 0, SETTLED))
        while len(talk.pongs) == pongs and not talk.goaway and not talk.ended:
            talk.read("what a flood is told")
    return sent


# ---------------------------------------------------------------- TLS


@asgi("TLS told in the scope", source="ASGI TLS Extension 0.2", way="tls", lacks="no TLS")
def tls_told(run: Run) -> Finding:
    """Does scope["extensions"]["tls"] tell version, cipher suite and certificate?"""
    secure = Secure(run, ("http/1.1",))
    scope = json.loads(secure.ask("/facts").body)["scope"]
    tls = (scope.get("extensions") or {}).get("tls")
    if tls is None:
        return Finding("no", f"scheme {scope['scheme']!r}, extensions {scope.get('extensions')}",
                       False)  # fmt: skip
    version = {0x0304: "TLSv1.3", 0x0303: "TLSv1.2"}.get(tls.get("tls_version"), "no version")
    short = {key: str(value)[:30] for key, value in tls.items()}
    right = version == secure.version
    return Finding(f"yes, {version}", f"{short}; really {secure.version}", right)
