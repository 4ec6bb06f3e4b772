"""The exercise ``who-answers`` of chapter 06: five servers without a name."""

from __future__ import annotations

import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any

from workbench.contracts import Broken
from workbench.ecosystem.servers import SERVERS
from workbench.exercises.in_time import in_time
from workbench.exercises.keeping import kept
from workbench.exercises.model import Exercise, Point, Slip

KNOWN = {"gunicorn": "gunicorn", "uwsgi": "uwsgi", "wsgiref": "wsgiref", "waitress": "waitress",
         "ours": "ours-threads"}  # fmt: skip
COMMANDS = {name: SERVERS[server].ways["plain"] for name, server in KNOWN.items()}
PATIENCE = 2.5  # seconds for one name
LONG_LINE = 0.2  # seconds that each piece of an answer takes on the long line

_TELLS = re.compile(rb"^(?:server|via|date):[^\r\n]*\r\n", re.IGNORECASE | re.MULTILINE)
_STATUS = re.compile(rb"^HTTP/1\.[01] [2-5][^\r\n]*\r\n", re.MULTILINE)


class Masked:
    """A relay in front of a server, which takes the names out of its answers.

    ``says`` is put into each answer as its Server field; every piece comes ``delay`` seconds late.
    """

    def __init__(self, server: tuple[str, int], says: str = "", delay: float = 0.0) -> None:
        self._server = server
        self._says = b"Server: %b\r\n" % says.encode() if says else b""
        self.delay = delay
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address: tuple[str, int] = self._listener.getsockname()
        self._socks = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Let nobody in any more, and cut who is there."""
        for sock in self._socks:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                near = self._listener.accept()[0]
                far = socket.create_connection(self._server)
                self._socks += [near, far]
                for pair in ((near, far, False), (far, near, True)):
                    pair[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, back: bool) -> None:
        with suppress(OSError):  # one of them has left
            while data := source.recv(65536):
                if back:
                    time.sleep(self.delay)
                    data = self._masked(data)
                target.sendall(data)
            if back:
                time.sleep(self.delay)
            target.shutdown(socket.SHUT_WR)

    def _masked(self, data: bytes) -> bytes:
        """Servers write whole lines at a time, so a name is never cut in two."""
        data = _TELLS.sub(b"", data)
        return _STATUS.sub(lambda line: line[0] + self._says, data)


@contextmanager
def five(delay: float = 0.0, lies: bool = False) -> Iterator[dict[str, Masked]]:
    """Give the five servers behind their masks; a lie names the next one of them."""
    servers = kept(COMMANDS)
    names = list(KNOWN)
    with ExitStack() as stack:
        found = {}
        for number, name in enumerate(names):
            says = names[(number + 1) % len(names)] if lies else ""
            found[name] = Masked(servers[name].address, says, delay)
            stack.callback(found[name].close)
        yield found


def told(name_of: Any, masked: Masked, name: str) -> str:
    """Ask for a name; raise Hangs when none comes in time."""
    given = in_time(
        lambda: name_of(masked.address), PATIENCE + 8 * masked.delay, f"name_of, asked of {name},",
        lambda: closing(masked),
    )  # fmt: skip
    if not isinstance(given, str) or given not in KNOWN:
        raise Slip(f"name_of returns one of {', '.join(KNOWN)}; yours returned {given!r:.80}")
    return str(given)


def right(name_of: Any, masked: Masked, name: str) -> None:
    """Demand the right name."""
    got = told(name_of, masked, name)
    if got != name:
        raise Broken("another one answers there", got=got, wanted=name)


def these(*names: str, rounds: int = 2, **how: Any) -> Callable[[Any], None]:
    """Return a point: some of the five, each asked so often, in no order."""

    def run(name_of: Any) -> None:
        with five(**how) as servers:
            for _ in range(rounds):
                for name in random.sample(names, len(names)):
                    right(name_of, servers[name], name)

    return run


WHO_ANSWERS = Exercise(
    name="who-answers",
    chapter=6,
    title="Who answers there",
    effort=1,
    subject="name_of",
    points=(
        Point(
            "wsgiref",
            these("wsgiref"),
            "looking for what wsgiref does wrong, and not at the first bytes that it says: no "
            "other one of the five calls itself HTTP/1.0.",
            "RFC 9110 §2.5",
        ),
        Point(
            "gunicorn and uwsgi",
            these("gunicorn", "uwsgi"),
            "looking only at whether the connection ends. Both of them close behind every answer: "
            "one of them announces it in the head of the answer.",
            "RFC 9112 §9.6",
        ),
        Point(
            "waitress and ours",
            these("waitress", "ours"),
            "asking only what both do alike, or waiting for the end of a connection that both "
            "keep: it comes if the last request says Connection: close. What does the table say "
            "of a method whose answer has no content?",
            "RFC 9110 §9.3.2",
        ),
        Point(
            "each says that it is another one",
            these(*KNOWN, lies=True),
            "where the points above hold: believing the Server field. It is what "
            "somebody has configured it to be.",
            "RFC 9110 §10.2.4",
        ),
        Point(
            "at the end of a long line",
            these(*KNOWN, rounds=1, delay=LONG_LINE),
            "where the points above hold: taking a short silence for an answer. "
            "From far away everything is "
            "silent for so long: ask so that each of the two possibilities makes something come, "
            "an answer or the end of the connection.",
        ),
    ),
    hints=(
        "Send two requests on one connection, the second with Connection: close, and print what "
        'comes, for each of the five. `probed("keep-alive", servers=["uwsgi", "waitress"])` asks a '
        'row of the table in the notebook, and `.why("keep-alive")` behind it shows the bytes.',
        "The version in the first line tells one of them. Who answers one of the two requests is "
        "Gunicorn or uWSGI: one of them says Connection: close before it closes. The other two "
        "differ in what they send behind the head when they are asked for HEAD.",
        """
        Nearly all of it:

            came = talk(address, ask(), ask("GET", "Connection: close"))
            came.startswith(b"HTTP/1.0")              # wsgiref
            came.count(b"HTTP/1.1 200 OK") == 1       # Gunicorn, uWSGI
            b"connection: close" in came.lower()      # of these: Gunicorn

        and then a HEAD with Connection: close: does what comes end with the empty line?
        """,
    ),
    afterwards="""
        Two connections were enough, so a Server field that is left out hides nothing: whoever wants
        to know asks as you did. RFC 9110 §10.2.4 lets a server leave it out, and warns of details.

        Each of these tells has a reason. Gunicorn's sync worker serves one client at a time, so it
        keeps nobody, and says Connection: close. uWSGI's http-socket is meant to stand behind a
        proxy; it closes without the word, so a client that asks again loses a request. wsgiref
        keeps to HTTP/1.0. To HEAD, waitress, uWSGI and wsgiref send whatever the application
        returns, and leave it to the application to return nothing; Gunicorn and ours drop it, for
        RFC 9110 §9.3.2 forbids it to the server.
        """,
    seconds=12.0,
    measures=True,
)
