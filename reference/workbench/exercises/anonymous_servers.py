"""The exercise ``which-server`` of chapter 14: five ASGI servers without a name."""

from __future__ import annotations

import inspect
import random
import re
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from http import HTTPStatus
from typing import Any

from workbench.contracts import Broken
from workbench.exercises import stuck
from workbench.exercises.keeping import kept
from workbench.exercises.model import Exercise, Hangs, Point, Slip
from workbench.exercises.wild_names import Masked

APP = "workbench.ecosystem.anonymous"
CLAIMS = {
    "uvicorn": "granian",
    "hypercorn": "daphne",
    "daphne": "uvicorn",
    "granian": "hypercorn",
    "ours": "uvicorn",
}
"""What the Server field of each says: the name of another one."""

COMMANDS = {
    "uvicorn": "uvicorn {app} --port {port} --log-level warning --no-access-log --http httptools"
    " --no-server-header",
    "hypercorn": f"hypercorn -b 127.0.0.1:{{port}} -c python:{APP}.Hypercorn {{app}}",
    "daphne": "daphne -v 0 --no-server-name -b 127.0.0.1 -p {port} {app}",
    "granian": "granian --interface asgi --port {port} --log-level warning {app}",
    "ours": "handmade serve {app} --port {port} --log-level warning",
}
PATIENCE = 4.0  # seconds for one name, on a busy machine
NOBODY_THERE = 0.3  # seconds for a connection that is refused at once
NAMES = ", ".join(COMMANDS)


def five() -> dict[str, tuple[str, int]]:
    """Return the addresses of the five servers, which run when this returns."""
    lines = {
        name: "{python} -m " + line.replace("{app}", f"{APP}:says_{CLAIMS[name]}")
        for name, line in COMMANDS.items()
    }
    return {name: server.address for name, server in kept(lines).items()}


class Stuck(Hangs, Slip):
    """A hang, which no trap of a point is about."""


class Call:
    """A call of a learner's function, in a thread of its own: what it gave or raised so far."""

    def __init__(self, name_of: Any, address: tuple[str, int], seconds: float) -> None:
        self.given: Any = None
        self.error: BaseException | None = None
        self.where = ""
        """How it goes on after so many seconds, and where; "" for a call that came to its end."""
        self._work = partial(name_of, address)
        thread = threading.Thread(target=self._run, name="name_of", daemon=True)
        thread.start()
        thread.join(seconds)
        if thread.is_alive():
            place, waits = stuck.where(thread)
            stuck.end(thread)
            self.where = f"still {'waiting' if waits else 'running'} after {seconds:g} s"
            self.where += f", at {place}" if place else ""

    def _run(self) -> None:
        try:
            self.given = self._work()
        except BaseException as error:
            self.error = error


def begun(name_of: Any) -> None:
    """Raise what a function raises that is not yet written, before servers are started for it."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        address = sock.getsockname()
    error = Call(name_of, address, NOBODY_THERE).error  # nobody listens there any more
    if isinstance(error, NotImplementedError):
        raise error


def told(name_of: Any, address: tuple[str, int], name: str) -> str:
    """Return what a learner's function says; raise Stuck when it says nothing in time."""
    call = Call(name_of, address, PATIENCE)
    if call.where:
        raise Stuck(f"{name} answers, and name_of is {call.where}")
    if call.error is not None:
        raise call.error
    got = call.given
    if inspect.iscoroutine(got):
        got.close()
        raise Slip("name_of is an `async def`: a plain `def` is wanted")
    if not isinstance(got, str) or got not in COMMANDS:
        raise Slip(f"name_of returns one of {NAMES}; yours returned {got!r:.80}")
    return got


def asked(
    names: tuple[str, ...], problem: str, fits: Callable[[str, str], bool], times: int = 1
) -> Callable[[Any], None]:
    """Return a point: each of ``names`` is asked so often, in any order.

    ``fits(got, name)`` tells whether an answer will do.
    """

    def run(name_of: Any) -> None:
        begun(name_of)
        servers = five()
        for _ in range(times):
            for name in random.sample(names, len(names)):
                got = told(name_of, servers[name], name)
                if not fits(got, name):
                    raise Broken(f"{name}: {problem}", got=got, wanted=name)

    return run


class Alike(Masked):
    """A relay in front of a server, which makes the heads of all servers look alike.

    Status line and fields mean the same as before: they are in one order, in one case, and without
    the Date, which one of the five does not send.
    """

    def _masked(self, data: bytes) -> bytes:
        return HEAD.sub(_rewritten, data)  # servers write their heads in one piece


HEAD = re.compile(rb"^HTTP/1\.[01] (\d{3})[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n", re.MULTILINE)


def _rewritten(head: re.Match[bytes]) -> bytes:
    status = HTTPStatus(int(head[1]))
    pairs = sorted(line.lower().split(b": ", 1) for line in head[2].splitlines())
    fields = [b"%b: %b" % (name, value) for name, value in pairs if name != b"date"]
    line = f"HTTP/1.1 {status.value} {status.phrase}".encode()
    return b"\r\n".join([line, *fields, b"", b""])


def behind_a_proxy(name_of: Any) -> None:
    """All five, each behind a relay."""
    begun(name_of)
    with ExitStack() as stack:
        relays = {name: Alike(address) for name, address in five().items()}
        for relay in relays.values():
            stack.callback(relay.close)
        for name in random.sample(ALL, len(ALL)):
            got = told(name_of, relays[name].address, name)
            if got != name:
                problem = f"{name}, behind a proxy that makes all heads alike: it is another one"
                raise Broken(problem, got=got, wanted=name)


def is_right(got: str, name: str) -> bool:
    """Only the name itself will do."""
    return got == name


def is_of_its_kind(got: str, name: str) -> bool:
    """Any name will do of a server that speaks HTTP/2 without TLS, or does not, as this one."""
    return (got in WITH_HTTP2) is (name in WITH_HTTP2)


WITH_HTTP2 = ("hypercorn", "granian", "ours")
ALL = tuple(COMMANDS)

WHICH_SERVER = Exercise(
    name="which-server",
    chapter=14,
    title="Which of five servers answers there",
    effort=2,
    subject="name_of",
    points=(
        Point(
            "the field that lies",
            asked(
                ("daphne", "granian"),
                "the Server field of its answers says so, and lies",
                lambda got, name: got != CLAIMS[name],
            ),
            "reading the name in the Server field. It is an option of every server, and here the "
            "application wrote it. What a server does is harder to hide than what it says.",
            "RFC 9110 §10.2.4",
        ),
        Point(
            "who speaks HTTP/2",
            asked(
                ALL,
                "three of the five speak HTTP/2 without TLS, and it is the other kind",
                is_of_its_kind,
            ),
            "taking any answer for HTTP/2, or asking in the words of HTTP/1. Prior knowledge "
            "begins with the preface and a SETTINGS frame; an `HTTP/1.1 400` is an answer too, and "
            "only a SETTINGS frame is the right one: its fourth byte, the type, is 4.",
            "RFC 9113 §3.3",
        ),
        Point(
            "uvicorn or daphne",
            asked(("uvicorn", "daphne"), "it is another one", is_right),
            "asking with `Expect: 100-continue` at /echo: the application reads the body there, so "
            "everybody says 100. At / it answers without reading, and only a server that does not "
            "wait for the application says 100 all the same.",
            "RFC 9110 §10.1.1",
        ),
        Point(
            "hypercorn, and not the other two",
            asked(
                WITH_HTTP2,
                "is it hypercorn, or not?",
                lambda got, name: (got == "hypercorn") is (name == "hypercorn"),
            ),
            "a probe that Hypercorn and ours answer alike: both finish an answer for a client that "
            "has half-closed, and both agree on permessage-deflate. The 100 that nobody's receive "
            "has asked for comes from Hypercorn alone of these three.",
        ),
        Point(
            "granian or ours",
            asked(("granian", "ours"), "it is another one", is_right),
            "looking for Sec-WebSocket-Extensions where none was offered: a server may agree only "
            "to what the handshake of the client offers. (With half-close: ask for /slow. A server "
            "that cuts off may have answered / before it hears of the goodbye.)",
            "RFC 6455 §9.1",
        ),
        Point(
            "behind a proxy",
            behind_a_proxy,
            "knowing a server by the look of its head: the order of the fields, their case, the "
            "reason phrase. A proxy in front rewrites all that. What it passes on is what the "
            "server does: a row of the table.",
        ),
        Point(
            "all five, in any order, twice",
            asked(ALL, "it is another one", is_right, times=2),
            "remembering something from one call to the next: how many were asked, or which names "
            "are left. Nobody promises an order, and the same server may be asked again.",
        ),
    ),
    hints=(
        "A row of the feature table parts the five into those who do it and those who do not. "
        "Which rows part them best, and can be asked with one connection and without a clock?",
        '"HTTP/2 without TLS" parts them 3 to 2. "Expect, unread" parts the two, and takes '
        'Hypercorn out of the three. "permessage-deflate" or "half-close" parts the last two.',
        """
        The three questions, and what to look for in what was heard:

            PREFACE + frame(SETTINGS)               # [3:4] == b"\\x04"?
            request("/", "Expect: 100-continue", "Content-Length: 3", method="POST")
                                                    # begins with HTTP/1.1 100?
            handshake("/", "Sec-WebSocket-Extensions: permessage-deflate")
                                                    # is permessage-deflate agreed on?
        """,
    ),
    afterwards="""
        Three questions, each a row of the table. Scanners that tell servers apart work like this.

        Uvicorn sends its 100 from inside of receive(), so an application that reads nothing saves
        the upload. Daphne's comes from Twisted, which sends it as soon as it has read the head, and
        Hypercorn's loop over h11's events sends it whenever h11 says that the client waits for it.
        Without the proxy a single head would do: Hypercorn's status line has no reason phrase,
        Daphne writes Content-Type with capitals and no Date, Uvicorn puts the Date first and
        Granian last.
        """,
    seconds=25.0,
    measures=True,
)
