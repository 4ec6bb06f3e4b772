"""The exercise ``which-server`` of chapter 14: five ASGI servers without a name."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

from workbench.contracts import Broken
from workbench.exercises import stuck
from workbench.exercises.keeping import kept
from workbench.exercises.model import Exercise, Hangs, Point, Slip

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
NAMES = ", ".join(COMMANDS)


def five() -> dict[str, tuple[str, int]]:
    """Return the addresses of the five servers, which run when this returns."""
    lines = {
        name: "{python} -m " + line.replace("{app}", f"{APP}:says_{CLAIMS[name]}")
        for name, line in COMMANDS.items()
    }
    return {name: server.address for name, server in kept(lines).items()}


def told(name_of: Any, address: tuple[str, int], name: str) -> str:
    """Return what a learner's function says; raise Hangs when it says nothing in time."""
    given: list[Any] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            given.append(name_of(address))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, name="name_of", daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        place, waits = stuck.where(thread)
        stuck.end(thread)
        verb = "waiting" if waits else "running"
        at = f", at {place}" if place else ""
        raise Hangs(f"{name} answers, and name_of is still {verb} after {PATIENCE:g} s{at}")
    if errors:
        raise errors[0]
    got = given[0]
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
        servers = five()
        for _ in range(times):
            for name in random.sample(names, len(names)):
                got = told(name_of, servers[name], name)
                if not fits(got, name):
                    raise Broken(f"{name}: {problem}", got=got, wanted=name)

    return run


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
                ALL,
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
        Three questions, each a row of the table. Scanners that tell servers apart work like this,
        and so does a colleague who looks for the proxy that nobody remembers.

        Uvicorn sends its 100 from inside of receive(), so an application that reads nothing saves
        the upload. Daphne's comes from Twisted, which sends it as soon as it has read the head, and
        Hypercorn's loop over h11's events sends it whenever h11 says that the client waits for it.
        There would have been more: Hypercorn's status line ends behind "200 " and has no reason,
        Daphne writes Content-Type with capitals and no Date, Uvicorn puts the Date first and
        Granian last.
        """,
    seconds=25.0,
    measures=True,
)
