"""What is said to a board, whatever serves it: a page, posts, a stream, uploads, a WebSocket.

In comes an address, out comes a list of ``Step``: what went as it should, what did not, and what is
only told because no interface demands it.  Each step has a connection of its own, closed at its
end, so that a server that takes one client at a time can hold the whole conversation.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx

from workbench.contracts import Broken
from workbench.contracts.asgi_websocket_client import CLOSE, PING, TEXT, Talk, closing, handshake
from workbench.contracts.wire import Answer, Wire, request

PATIENCE = 8.0  # seconds for each answer
LIMIT = 30.0  # seconds for the whole conversation: what has not been said then is not
PAUSES = (0.05, 0.3, 1.0)  # seconds between two lines of the stream: a busy machine needs more
LINES = 4
UPLOAD = bytes(range(256)) * 800
DIGEST = hashlib.sha256(UPLOAD).hexdigest()
FORM = {"author": "Ada", "text": "<b>bold</b> & é"}
SHOWN = "&lt;b&gt;bold&lt;/b&gt; &amp; é"
JSON = {"author": "Grace", "text": "by JSON"}
LATE = {"author": "Alan", "text": "seen live"}
BAD = {
    "an empty one": b'{"author": "Ada", "text": " "}',
    "a long one": b'{"text": "%b"}' % (b"x" * 501),
    "a list": b'["text"]',
    "half of one": b'{"text": "',
}
MADE = re.compile(rb"line (\d+) of \d+ at ([\d.]+)\n")


UNREADABLE = (
    OSError, ValueError, KeyError, TypeError, IndexError, struct.error, httpx.HTTPError,
    httpx.InvalidURL,
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One step: ``good`` is None for what is only told; ``seen`` is what came, or what is wrong."""

    name: str
    good: bool | None
    seen: str
    seconds: float = 0.0


class Told(Exception):
    """What came, where nobody demands anything."""


@dataclass
class Speaking:
    """One conversation: with whom, and which posts the board has taken so far."""

    address: tuple[str, int]
    interface: str
    websocket: bool
    posts: list[dict[str, Any]] = field(default_factory=list)

    def wire(self) -> Wire:
        """Return a connection for raw bytes."""
        return Wire(self.address, PATIENCE)

    def ask(self, sent: bytes) -> Answer:
        """Send a request on a connection of its own; return the whole answer."""
        with self.wire() as wire:
            return wire.send(sent).response()

    def client(self) -> httpx.Client:
        """Return the real client, for a ``with`` block."""
        base = "http://{}:{}".format(*self.address)
        return httpx.Client(base_url=base, timeout=PATIENCE, trust_env=False, verify=False)


def speak(speaking: Speaking) -> list[Step]:
    """Say everything; never raise for what a server does."""
    end, steps = time.monotonic() + LIMIT, []
    for name, say in STEPS.items():
        begun = time.monotonic()
        if begun > end:
            steps.append(Step(name, False, f"not said: the {LIMIT:g} s are over"))
            continue
        good: bool | None = True
        try:
            seen = say(speaking)
        except Told as told:
            good, seen = None, str(told)
        except Broken as broken:
            good, seen = False, broken.problem
        except UNREADABLE as error:
            good, seen = False, f"came unreadable: {error!r}"
        steps.append(Step(name, good, seen, time.monotonic() - begun))
    return steps


def demand(got: object, wanted: object, what: str) -> None:
    """Raise Broken unless both are equal."""
    if got != wanted:
        raise Broken(f"{what} should be {wanted!r}, came {got!r}", got=got, wanted=wanted)


# --- the steps --------------------------------------------------------------------------------


def page(speaking: Speaking) -> str:
    """Ask for the page."""
    answer = speaking.ask(request("/", "Connection: close"))
    demand(answer.status, 200, "the status")
    demand((answer.value("content-type") or "").partition(";")[0], "text/html", "the type")
    demand(b"<h1>The board</h1>" in answer.body, True, "the page's heading")
    return f"200, {len(answer.body)} bytes of HTML, {answer.framing}"


def form(speaking: Speaking) -> str:
    """Post as a browser does, and be shown the page again, where the post stands as text."""
    with speaking.client() as client:
        answer = client.post("/posts", data=FORM)
    demand(answer.status_code, 303, "the status")
    speaking.posts.append({"number": len(speaking.posts) + 1, **FORM})
    demand(answer.url.join(answer.headers["location"]).path, "/", "where we are sent")
    # On another connection: who closes after each answer need not say so, and uWSGI does not.
    with speaking.client() as client:
        again = client.get("/")
    demand(SHOWN in again.text, True, "the post, escaped, in the page")
    return "303, then the page with the post, escaped"


def by_json(speaking: Speaking) -> str:
    """Post as a program does."""
    return post(speaking, JSON)


def post(speaking: Speaking, new: dict[str, str]) -> str:
    """Post JSON; the answer is the post with its number."""
    with speaking.client() as client:
        answer = client.post("/posts", json=new)
    demand(answer.status_code, 201, "the status")
    speaking.posts.append({"number": len(speaking.posts) + 1, **new})
    demand(answer.json(), speaking.posts[-1], "the answer")
    return f"201, {json.dumps(answer.json())}"


def refusal(speaking: Speaking) -> str:
    """Post what is no post: 400 for each, or 422 where that is the framework's way."""
    came = {}
    for what, content in BAD.items():
        with speaking.client() as client:
            kind = {"Content-Type": "application/json"}
            came[what] = client.post("/posts", content=content, headers=kind).status_code
    if wrong := {what: status for what, status in came.items() if status not in (400, 422)}:
        raise Broken(f"the status should be 400 or 422, came {wrong}")
    return ", ".join(f"{status} for {what}" for what, status in came.items())


def listing(speaking: Speaking) -> str:
    """List the posts: those that were taken, in their order."""
    with speaking.client() as client:
        answer = client.get("/posts")
    demand(answer.status_code, 200, "the status")
    demand(answer.json(), speaking.posts, "the list")
    return f"{len(speaking.posts)} posts in order"


def stream(speaking: Speaking) -> str:
    """Read lines, each of which must come before the next one is made."""
    for pause in PAUSES:
        early = before_the_next(speaking, pause)
        if early == LINES - 1:
            return "each line came before the next was made"
    raise Broken(f"{early} of {LINES - 1} lines came before the next was made, {pause:g} s later")


def before_the_next(speaking: Speaking, pause: float) -> int:
    """Return how many lines of the stream have come before the next was made.

    Both clocks are the machine's.
    """
    came = []
    with speaking.wire() as wire:
        wire.send(request(f"/stream?n={LINES}&pause={pause}", "Connection: close"))
        for number in range(1, LINES + 1):
            wire.wait_for(b"line %d of" % number, f"line {number} of the stream")
            came.append(time.monotonic())
        answer = wire.response()
    made = {int(number): float(at) for number, at in MADE.findall(answer.body)}
    demand(list(made), list(range(1, LINES + 1)), "the lines")
    return sum(came[number - 1] < made[number + 1] for number in range(1, LINES))


def upload(speaking: Speaking) -> str:
    """Upload a body with a Content-Length, in three pieces."""
    sent = request("/upload", "Connection: close", *BINARY, method="POST", body=UPLOAD)
    third = len(sent) // 3
    with speaking.wire() as wire:
        for begin in (0, third, 2 * third):
            wire.send(sent[begin : begin + third if begin < 2 * third else None])
        return counted(wire.response())


def chunked(speaking: Speaking) -> str:
    """Upload the same in chunks, with no length: ASGI must take that, PEP 3333 knows nothing of it.

    So for WSGI it is told, and not judged.
    """
    parts = tuple(UPLOAD[begin : begin + 60_000] for begin in range(0, len(UPLOAD), 60_000))
    sent = request("/upload", "Connection: close", *BINARY, method="POST", chunks=parts)
    if speaking.interface == "asgi":
        return counted(speaking.ask(sent))
    try:
        answer = speaking.ask(sent)
    except Broken as broken:
        raise Told(broken.problem) from None
    if answer.status != 200:
        raise Told(f"refused: {answer.status}")
    raise Told(f"{json.loads(answer.body)['bytes']} of {len(UPLOAD)} bytes reach the view")


BINARY = ("Content-Type: application/octet-stream",)


def counted(answer: Answer) -> str:
    """Demand that the whole upload was counted."""
    demand(answer.status, 200, "the status")
    demand(json.loads(answer.body), {"bytes": len(UPLOAD), "sha256": DIGEST}, "what was counted")
    return f"{len(UPLOAD)} bytes, the right digest"


def slow(speaking: Speaking) -> str:
    """Ask for what needs the upstream."""
    with speaking.client() as client:
        answer = client.get("/slow", params={"wait": 0.05})
    demand(answer.status_code, 200, "the status")
    demand(answer.json(), {"waited": 0.05}, "the upstream's answer")
    return f"{json.dumps(answer.json())}"


def unknown(speaking: Speaking) -> str:
    """Ask for a path that there is not."""
    answer = speaking.ask(request("/nowhere", "Connection: close"))
    demand(answer.status, 404, "the status")
    return "404"


def live(speaking: Speaking) -> str:
    """Open a WebSocket, be told the posts, see another arrive, and leave with code 1000."""
    if not speaking.websocket:
        raise Told("the framework has no WebSocket")
    with ExitStack() as stack:
        talk = Talk(stack.enter_context(speaking.wire()))
        demand(talk.begin(handshake("/live")).status, 101, "the handshake's status")
        greeting = told(talk)
        demand(greeting["posts"], speaking.posts, "the greeting's posts")
        demand(greeting["readers"], 1, "how many read along")
        post(speaking, LATE)
        demand(told(talk)["posts"], speaking.posts[-1:], "the post that came while we listened")
        talk.wire.send(closing(1000))
        end = talk.hear("the answer to our close frame")
        demand((end.opcode, end.code), (CLOSE, 1000), "the end")
        talk.wire.closed("both sides have said goodbye")
    return f"greeted with {len(speaking.posts) - 1} posts, another seen as it came, closed 1000"


def told(talk: Talk) -> Any:
    """Return the next message."""
    frame = talk.hear("a message of the feed")
    while frame.opcode == PING:
        frame = talk.hear("a message of the feed")
    demand(frame.opcode, TEXT, "the message's opcode")
    return json.loads(frame.payload)


STEPS: dict[str, Callable[[Speaking], str]] = {
    "page": page, "form": form, "json": by_json, "refusal": refusal, "list": listing,
    "stream": stream, "upload": upload, "chunked": chunked, "slow": slow, "unknown": unknown,
    "live": live,
}  # fmt: skip
