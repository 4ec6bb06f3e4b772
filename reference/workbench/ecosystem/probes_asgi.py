"""Probes of the ASGI table: what the scope says, what can be sent, who is told of whom.

An extension is never believed because it is offered: it is used, offered or not, and the bytes
that come tell.  ``seen`` has no number that differs from run to run: a port, a date, a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from workbench.contracts import Broken
from workbench.contracts.wire import Wire, request
from workbench.gauntlet.websocket import opened

from .features import Finding, NotAsked, feature
from .looking import CLOSED, NOTHING, RESET, heard, line_of, noted
from .starting import Run, serving

asgi = partial(feature, interface="asgi")
SCOPE = "ASGI HTTP 2.5, HTTP Connection Scope"
LEFT = "ASGI HTTP 2.5, Disconnect"
AT_ONCE = 0.5  # seconds; what takes longer is told by a number
LONGEST = 2.5  # seconds for which an application is waited for
GRACE = 4.0  # seconds that some servers leave an application whose client has left
SOON = 1.5  # seconds for an answer: Daphne looks once a second whose application has ended
VERSIONS = ("2.0", "2.1", "2.2", "2.3", "2.4", "2.5")
LIVES = ("1.0", "2.0")  # ASGI Lifespan, Version History
KINDS = "HTTP", "WebSocket", "lifespan"
LONG = 20  # letters of an exception's name that fit into a cell
SHORT = {"websocket.http.response": "denial"}


def when(seconds: float) -> str:
    """Say how long something took, as coarse as it repeats."""
    return "at once" if seconds < AT_ONCE else f"after {max(1, round(seconds))} s"


# ---------------------------------------------------------------- the scope


def scope_of(run: Run, *fields: str, target: str = "/facts") -> dict[str, Any]:
    """Return the scope of a request, as the application tells it: bytes as Latin-1."""
    found: dict[str, Any] = run.facts(*fields, target=target)["scope"]
    return found


def socket_scope(run: Run) -> dict[str, Any] | None:
    """Return the scope of a WebSocket, or None where none is opened."""
    try:
        found: dict[str, Any] = opened(run, "/s/facts").told()["scope"]
    except Broken:
        return None
    return found


@asgi("spec version told", source=f"{SCOPE}; ASGI Lifespan 2.0, Scope")
def spec_version(run: Run) -> Finding:
    """Which version of its document does each scope name: HTTP, WebSocket, lifespan?"""
    life = run.told(request("/a/life")).get("scope")
    told = [each and each["asgi"] for each in (scope_of(run), socket_scope(run), life)]
    names = ["–" if each is None else each.get("spec_version", "none") for each in told]
    right = names[0] in VERSIONS and names[1] in VERSIONS and names[2] in LIVES
    seen = "; ".join(f"{kind}: {each}" for kind, each in zip(KINDS, told, strict=True))
    return Finding(" / ".join(names), seen, right)


def _offered(scope: dict[str, Any] | None) -> Finding:
    if scope is None:
        raise NotAsked("there is no WebSocket")
    found = scope.get("extensions")
    names = [SHORT.get(name, name.removeprefix("http.response.")) for name in found or ()]
    said = ", ".join(names).replace("_", " ")
    return Finding(said or "none", f"extensions: {found}", bool(names))


@asgi("extensions of a request", source=f"{SCOPE}; ASGI Extensions")
def extensions(run: Run) -> Finding:
    """Which extensions are offered over HTTP/1.1, to a client that takes trailers?"""
    return _offered(scope_of(run, "TE: trailers", "Connection: TE"))


@asgi("extensions of a WebSocket", source="ASGI WebSocket 2.5, WebSocket Connection Scope")
def socket_extensions(run: Run) -> Finding:
    """Which extensions are offered to a WebSocket?"""
    return _offered(socket_scope(run))


@asgi("raw_path", source=SCOPE)
def raw_path(run: Run) -> Finding:
    """Is the path there as it came, byte for byte, beside the decoded one?"""
    target = "/%66%61ct%73"
    scope = scope_of(run, target=f"{target}?q=%20")
    raw = scope.get("raw_path")
    said = {target: "as it came", None: "missing"}.get(raw, "made up")
    seen = f"{target!r} came: path {scope['path']!r}, raw_path {raw!r}"
    return Finding(said, seen, raw == target)


PREFIX = {
    "uvicorn": " --root-path /board", "hypercorn": " --root-path /board",
    "daphne": " --root-path /board", "gunicorn": " --root-path /board",
    "granian": " --url-path-prefix /board", "": " --script-name /board",
}  # fmt: skip
"""How each server, by its package, is told the prefix that a proxy has taken off; ours by ""."""


@asgi("root_path", source="ASGI HTTP 2.5, WSGI Compatibility: path without it is PATH_INFO")
def root_path(run: Run) -> Finding:
    """A server is told of the prefix that a proxy takes off: is it put before ``path`` again?"""
    package = (*run.server.packages, "")[0]
    way = run.server.ways[run.way] + PREFIX[package]
    server = replace(run.server, ways={run.way: way})
    with serving(server, run.way, "probe:tells") as own:
        scopes = []
        for target in ("/posts", "/board/posts"):
            answer = own.ask(request(target))
            told = own.read(answer)["scope"] if answer.status == 200 else {}
            scopes.append((told.get("root_path"), told.get("path", answer.status)))
    seen = f"{PREFIX[package].strip()}: /posts came: root_path, path {scopes[0]}; "
    seen += f"/board/posts came: {scopes[1]}"
    (root, short), (_, full) = scopes
    if root != "/board":
        return Finding("not told" if root is not None else f"{short} without it", seen, False)
    if short != "/board/posts":
        return Finding("path without it", seen, False)
    return Finding("in path" if full == short else "in path, even twice", seen, True)


@asgi("client and server", source=f"{SCOPE}: client, server")
def addresses(run: Run) -> Finding:
    """Are both addresses told as the specification has them: host and port, str and int?"""
    facts = run.facts()
    wrong = [f"{key}: {kinds or 'missing'}" for key, kinds in facts["ends"].items()
             if kinds != ["str", "int"]]  # fmt: skip
    seen = "; ".join(f"{key}: {', '.join(kinds)}" for key, kinds in facts["ends"].items())
    if not wrong:
        return Finding("str and int", seen, True)
    strings = all(kinds == ["str", "str"] for kinds in facts["ends"].values())
    return Finding("the port is a str" if strings else ", ".join(wrong)[:24], seen, False)


SENT = [("x-b", "1"), ("x-a", "2"), ("x-b", "3"), ("cookie", "a=1"), ("cookie", "b=2")]


@asgi("fields of a request", source=f"{SCOPE}: headers")
def fields_in(run: Run) -> Finding:
    """Do fields reach the application in their order, and those of one name as they are?"""
    names = {name for name, _ in SENT}
    came = scope_of(run, *[f"{name.title()}: {value}" for name, value in SENT])["headers"]
    return order(SENT, [(name, value) for name, value in came if name in names])


@asgi("fields of an answer", source="ASGI HTTP 2.5, Response Start: headers; RFC 9110 §5.3")
def fields_out(run: Run) -> Finding:
    """Do fields reach the client in the order of the application, and all of them?"""
    sent = [*[(f"x-{n}", str(n)) for n in range(30)],
            ("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-empty", "")]  # fmt: skip
    names = {name for name, _ in sent}
    answer = run.ask(request("/fields"))
    return order(sent, [(name, value) for name, value in answer.fields if name in names])


def order(sent: list[tuple[str, str]], came: list[tuple[str, str]]) -> Finding:
    """Tell what has become of the order of fields, and of those with one name."""
    at = next((n for n, pair in enumerate(sent) if came[n : n + 1] != [pair]), len(sent))
    seen = f"sent {sent[at : at + 5]}, came {came[at : at + 5]}" if came != sent else f"{came[-5:]}"
    if came == sent:
        return Finding("in their order", seen, True)
    if sorted(came) != sorted(sent):
        return Finding("joined or lost", seen, False)
    # RFC 9110 §5.3: among fields of different names the order means nothing.
    lists = [sorted(pairs, key=lambda pair: pair[0]) for pairs in (sent, came)]
    kept = lists[0] == lists[1]
    return Finding("grouped by name" if kept else "in another order", seen, kept)


# ---------------------------------------------------------------- extensions that are used


def used(offered: bool, works: bool, raised: str | None) -> str:
    """Say what came of a message, which was sent whether it is offered or not."""
    if works:
        return "works" if offered else "works, not offered"
    if offered:
        return "offered, does nothing"
    if not raised:
        return "no, and says nothing"
    return f"no: {raised}" if len(raised) <= LONG else "no: an exception"


def offers(run: Run, name: str) -> bool:
    """Tell whether an extension is in the scope of a request."""
    scope = scope_of(run, "TE: trailers", "Connection: TE")
    return name in (scope.get("extensions") or {})


def _raised(run: Run, token: str) -> str | None:
    found = noted(run, token, "raised")
    return None if found is None else found["raised"]


@asgi("trailers", source="ASGI Extensions, HTTP Trailers; RFC 9112 §7.1.2")
def trailers(run: Run) -> Finding:
    """Do trailers of the application stand behind the last chunk over HTTP/1.1, and for whom?"""
    offered = offers(run, "http.response.trailers")
    works, seen, raised = _trailers(run, "TE: trailers", "Connection: TE")
    if not works:
        return Finding(used(offered, works, raised), seen, works)
    unasked, seen_unasked, _ = _trailers(run)
    said = used(offered, works, raised)
    if offered:
        said += ", even unasked" if unasked else ", to whom says TE"
    return Finding(said, f"with TE: trailers: {seen}; without: {seen_unasked}", works)


def _trailers(run: Run, *fields: str) -> tuple[bool, str, str | None]:
    """Ask for a response with a trailer: whether it came, what did, and what send raised."""
    token = run.token()
    answer, came = heard(run.connect().send(request(f"/a/trailers?token={token}", *fields)))
    raised = _raised(run, token)
    if answer is None:
        return False, f"{came}; send raised {raised or 'nothing'}", raised
    behind = answer.values("trailer of the body")
    seen = f"{answer.framing}, behind the content: {behind}; send raised {raised or 'nothing'}"
    return any(line.lower() == "x-after: yes" for line in behind), seen, raised


@asgi("early hints", source="ASGI Extensions, Early Hints; RFC 8297")
def early_hints(run: Run) -> Finding:
    """Does a 103 with the links of the application come before the answer?"""
    token, offered = run.token(), offers(run, "http.response.early_hint")
    wire = run.connect().send(request(f"/a/hint?token={token}"))
    first, came = heard(wire)
    raised = _raised(run, token)
    works = first is not None and first.status == 103 and first.values("link") != []
    then = heard(wire)[1] if first is not None and first.status == 103 else came
    seen = f"{first.head[:80]!r}, " if works and first is not None else ""
    seen += f"the answer: {then}; send raised {raised or 'nothing'}"
    return Finding(used(offered, works, raised), seen, works)


@asgi("a file by its path", source="ASGI Extensions, Path Send")
def path_send(run: Run) -> Finding:
    """May the application name a file, which the server sends?"""
    token, offered = run.token(), offers(run, "http.response.pathsend")
    answer, came = heard(run.connect().send(request(f"/a/path?token={token}")))
    raised = _raised(run, token)
    body = answer.body if answer is not None else b""
    works = body == b"what is in the file"
    seen = f"{came}, content {body!r}; send raised {raised or 'nothing'}"
    return Finding(used(offered, works, raised), seen, works)


# ---------------------------------------------------------------- the end of an answer, and errors


@asgi("body behind the end", source="ASGI HTTP 2.5, Response Body: more_body")
def body_behind_the_end(run: Run) -> Finding:
    """What becomes of content behind the last: does send raise, and do bytes leak?"""
    token = run.token()
    wire = run.connect().send(request(f"/a/after?then=send&token={token}"))
    answer = wire.response()
    late = noted(run, token, "late")
    leaked = bytes(wire.buf) + (wire.socket.recv(100) if wire.hears_more(0.1) else b"")
    raised = "send never returns" if late is None else late["late"] or "dropped"
    seen = f"{line_of(answer)}, {answer.body!r}, then {leaked!r}; send: {raised}"
    return Finding("leaks" if leaked else raised, seen, not leaked)


@asgi("error before the start", source="ASGI 3.0, Error Handling; RFC 9110 §15.6.1")
def error_before(run: Run) -> Finding:
    """What does a client get of an application that raises before it answers?"""
    wire = run.connect()
    wire.patience = SOON
    answer, came = heard(wire.send(request("/fail?when=before")))
    if answer is None:
        return Finding(came, f"came: {came}", False)
    told = b"swordfish" in answer.body
    then = heard(wire.send(request("/ok")))[1]
    after = "goes on" if then == "200" else "closes"
    seen = f"{line_of(answer)}, {answer.body[:60]!r}; the next request: {then}"
    said = f"{came} with the error" if told else f"{came}, {after}"
    return Finding(said, seen, answer.status == 500 and not told)


@asgi("error after the start", source="RFC 9112 §8: a broken response must not look whole")
def error_after(run: Run) -> Finding:
    """Is an answer cut off, so that the client sees it, when the application raises in it?"""
    with run.other(run.way) as own:  # some are never well again
        own.patience = SOON
        wire = own.connect()
        said, seen = how_it_ends(wire, wire.send(request("/fail?when=after")))
        later = heard(own.connect().send(request("/fail?when=before")))[1]
        plain = own.ask(request("/ok")).status
    seen += f"; the next error, before a start: {later}; a plain request: {plain}"
    if later == NOTHING:
        return Finding(f"{said}, later errors too", seen, False)
    return Finding(said, seen, said == "cut off")


def how_it_ends(wire: Wire, sent: Wire) -> tuple[str, str]:
    """Tell how an answer that broke off ends for its client: the finding, and the evidence."""
    begun = b""
    with suppress(Broken):
        wire.wait_for(b"\r\n\r\n", "a head")
        begun = bytes(wire.buf)[:15]
    answer, came = heard(sent) if begun or wire.ended else (None, NOTHING)
    if answer is None:
        named = {NOTHING: "hangs", CLOSED: "cut off", RESET: "cut off"}
        return named.get(came, came), f"{begun!r}, and then {came}"
    end = RESET if wire.was_reset else CLOSED if wire.ended else "the connection is open"
    seen = f"{line_of(answer)}, {answer.framing}, {answer.body!r}, {end}"
    if answer.status >= 500:
        return f"{answer.status}", seen
    return "looks whole" if answer.complete else "cut off", seen


@asgi("returns too early", source="ASGI 3.0, Error Handling; RFC 9112 §8")
def returns_too_early(run: Run) -> Finding:
    """What does a client get where the application returns before the start, and in the body?"""
    found, seen = [], []
    for where in ("before", "body"):
        wire = run.connect()
        wire.patience = SOON
        said, evidence = how_it_ends(wire, wire.send(request(f"/a/return?when={where}")))
        found.append(said)
        seen.append(f"{where}: {evidence}")
    good = found[0] == "500" and found[1] == "cut off"
    return Finding("; ".join(found), "; ".join(seen), good)


# ---------------------------------------------------------------- a client that leaves


def listening(run: Run, token: str) -> Wire:
    """Return a connection whose application has read the body and listens for what comes."""
    sent = request(f"/a/listen?token={token}", method="POST", body=b"hello")
    wire = run.connect().send(sent)
    run.noted(token, "here", "the application to have read the body", sent)
    return wire


def told_of(run: Run, token: str, leave: Callable[[], object]) -> tuple[float, str]:
    """Let a client leave; return after how many seconds the application is told, and by what."""
    began = time.monotonic()
    leave()
    found = noted(run, token, "told", seconds=LONGEST)
    took = time.monotonic() - began
    return (took, found["told"]) if found else (float("inf"), "nothing")


def _told(run: Run, leave: Callable[[Wire], object]) -> Finding:
    token = run.token()
    wire = listening(run, token)
    took, what = told_of(run, token, partial(leave, wire))
    if what == "nothing":
        return Finding("not told", f"nothing within {LONGEST:g} s", False)
    right = what == "http.disconnect"
    seen = f"receive gave {what} {when(took)}"
    return Finding(f"told {when(took)}" if right else what, seen, right)


@asgi("told of a reset", source=LEFT)
def told_of_a_reset(run: Run) -> Finding:
    """When is an application that receives told that its client has crashed?"""
    return _told(run, Wire.reset)


@asgi("told of a goodbye", source=LEFT)
def told_of_a_goodbye(run: Run) -> Finding:
    """When is it told of a client that has closed in order, which a half-close looks like?"""
    return _told(run, Wire.close)


@asgi("half-close", source="RFC 9112 §9.6; RFC 9293 §3.6: a half-closed connection")
def half_close(run: Run) -> Finding:
    """Is a client answered that has said it sends no more, and what is the application told?"""
    token = run.token()
    wire = run.connect().send(request(f"/a/deaf?token={token}"))
    run.noted(token, "here", "the application to run")
    wire.half_close()
    time.sleep(0.2)
    run.open(token)
    wire.patience = SOON
    answer, came = heard(wire)
    other = run.token()
    took, what = told_of(run, other, listening(run, other).half_close)
    told = "not told" if what == "nothing" else f"told {when(took)}"
    answered = answer is not None and answer.body == b"ok"
    seen = f"came: {came}; an application that receives: {told} ({what})"
    return Finding(f"{'answered' if answered else 'cut'}, {told}", seen, answered)


@asgi("nobody listens", source=f"{LEFT}: told on receive, and only there")
def nobody_listens(run: Run) -> Finding:
    """Is an application left in peace that does not receive while its client leaves?"""
    token = run.token()
    wire = run.connect().send(request(f"/a/deaf?seconds=4&token={token}"))
    run.noted(token, "here", "the application to run")
    began = time.monotonic()
    wire.reset()
    cut = noted(run, token, "cut", seconds=GRACE)
    took = time.monotonic() - began
    run.open(token)
    if cut is None:
        cut = noted(run, token, "cut", seconds=0.2)
        seen = f"it went on for {GRACE:g} s; its answer "
        seen += f"raised {cut['cut']}" if cut else "was taken"
        return Finding("left in peace", seen, True)
    return Finding(f"cancelled {when(took)}", f"{cut['cut']} was raised in it", False)


@asgi("send after disconnect", source="ASGI HTTP 2.5, Disconnected Client: an OSError")
def send_after_disconnect(run: Run) -> Finding:
    """What does send do when the application has been told that its client left?"""
    token = run.token()
    if told_of(run, token, listening(run, token).reset)[1] != "http.disconnect":
        raise NotAsked("the application is not told of it")
    tried = noted(run, token, "tried", seconds=AT_ONCE)
    first = (noted(run, token, "sent") or {}).get("sent")
    if tried is None or first is None:
        return Finding("send never returns", f"start: {first}, body: {tried}", False)
    raised = first or tried["tried"]
    seen = f"start: {first or 'returns'}; body: {tried['tried'] or '20 times 64 KiB, returns'}"
    return Finding(raised or "returns", seen, raised == "OSError")


@asgi("a stream to nobody", source="ASGI HTTP 2.5, Disconnected Client")
def stream_to_nobody(run: Run) -> Finding:
    """What ends a stream of small parts whose client has left: send, or nothing?"""
    token = run.token()
    wire = run.connect().send(request(f"/a/ticks?token={token}"))
    wire.wait_for(b"tick", "the first part")
    began = time.monotonic()
    wire.reset()
    ended = noted(run, token, "error", seconds=GRACE)
    took = time.monotonic() - began
    run.open(token)
    if ended is None:
        seen = f"parts are taken, one every 10 ms, {GRACE:g} s after the client has left"
        return Finding("goes on in silence", seen, False)
    return _ended(ended["error"], took)


def _ended(raised: str, took: float) -> Finding:
    late = "" if took < AT_ONCE else f" {when(took)}"
    return Finding(f"{raised}{late}", f"raised in send, {when(took)}", raised == "OSError")


@asgi("a download to nobody", source="ASGI HTTP 2.5, Disconnected Client")
def download_to_nobody(run: Run) -> Finding:
    """What ends a send that waits for its client to read, when the client leaves?"""
    token = run.token()
    wire = run.connect().send(request(f"/endless?token={token}"))
    wire.wait_for(b"x" * 1000, "the beginning of the stream")
    if not _waits(run, token):
        return Finding("never waits", "all 64 MiB were taken while the client read nothing", False)
    began = time.monotonic()
    wire.reset()
    left = noted(run, token, "left", seconds=GRACE)
    took = time.monotonic() - began
    if left is None:
        return Finding("send never returns", f"it still waits after {GRACE:g} s", False)
    raised = [each["error"] for each in run.left_behind(token) if "error" in each]
    if not raised:
        return Finding("goes on in silence", "the rest of 64 MiB was taken", False)
    return _ended(raised[0], took)


def _waits(run: Run, token: str) -> bool:
    """Wait until an endless stream stands still; False when it comes to its end."""
    notes = 0
    changed = time.monotonic()
    while time.monotonic() < changed + AT_ONCE:
        found = run.left_behind(token)
        if any("left" in each for each in found):
            return False
        if len(found) > notes:
            notes, changed = len(found), time.monotonic()
        time.sleep(0.02)
    return True
