"""The exercise ``reload-without-loss`` of chapter 06: new code, and not a request less."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # published without types

from workbench.contracts import Broken
from workbench.contracts.wire import Wire, request
from workbench.exercises import shop_worker
from workbench.exercises.in_time import in_time
from workbench.exercises.model import Exercise, Point, Slip
from workbench.exercises.talking import same

PATIENCE = 1.5  # seconds for one answer
VERSIONS = "two", "three", "four"
TOO_SOON = 0.5  # seconds that reload() is watched while the new code cannot be there
CALL = 4.0  # seconds for one call of the learner's, besides what it is to wait for
GRACE = 3.0
SHORT_GRACE = 0.3
STREAMS = 5
STEP = 0.01

SHOP = """
import os, time

def wait_for(name):
    end = time.monotonic() + 8
    while not os.path.exists(FOLDER + name) and time.monotonic() < end:
        time.sleep(0.005)

def note(name):
    open(FOLDER + name, "w").close()

note("/imports-" + VERSION)
wait_for("/import-" + VERSION)

def app(environ, start_response):
    if environ["PATH_INFO"] == "/held":
        note("/holds-" + VERSION)
        wait_for("/go-on")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [VERSION.encode()]
"""


class Shop:
    """A learner's supervisor, the socket and the application that it was given, and a client."""

    def __init__(self, kind: Any, folder: str, grace: float) -> None:
        self.folder = Path(folder)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = self.listener.getsockname()
        number = str(self.listener.fileno())
        command = [sys.executable, "-I", "-S", shop_worker.__file__, number, folder]
        self.grace = grace
        self.supervisor = kind(self.listener, command, grace)

    # ------------------------------------------------------------ the application

    def write(self, version: str, *, held: bool = False, broken: bool = False) -> None:
        """Put an application there; one that is ``held`` waits in its import for ``open``."""
        source = "this is no Python" if broken else SHOP
        names = f"FOLDER, VERSION = {str(self.folder)!r}, {version!r}\n"
        (self.folder / "shop.py").write_text(names + source, encoding="utf-8")
        if not held:
            self.open(f"import-{version}")

    def open(self, name: str) -> None:
        """Let who waits for a name go on."""
        (self.folder / name).touch()

    def noted(self, name: str, what: str) -> None:
        """Wait until the application has left a name."""
        end = time.monotonic() + CALL
        while not (self.folder / name).exists():
            if time.monotonic() > end:
                raise Broken(f"still waiting for {what} after {CALL:g} s")
            time.sleep(STEP)

    # ------------------------------------------------------------ the supervisor

    def call(self, name: str) -> Any:
        """Call a method of the supervisor."""
        method = getattr(self.supervisor, name)
        return in_time(method, CALL if name == "start" else CALL + self.grace, f"{name}()")

    def start(self) -> None:
        """Start with version one."""
        self.write("one")
        self.call("start")
        try:
            same(self.ask(), b"one", "after start()")
        except Broken as broken:
            raise Broken(f"after start() somebody asks: {broken.problem}") from None

    def reload(self) -> None:
        """Reload, which is to succeed."""
        got = self.call("reload")
        if got is not True:
            raise Slip(f"the new worker came up, and reload() returned {got!r}: True is wanted")

    # ------------------------------------------------------------ the client

    def ask(self, path: str = "/") -> bytes:
        """Ask on a connection of its own; return the body."""
        with Wire(self.address, PATIENCE) as wire:
            return wire.send(request(path, "Connection: close")).response().body

    def workers(self) -> list[psutil.Process]:
        """Return the workers that there are, zombies too."""
        mine = psutil.Process().children(recursive=True)
        return [each for each in mine if self._is_worker(each)]

    def _is_worker(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE:
                return process.ppid() == os.getpid() and process.pid in self._seen
            if process.pid in self._seen:  # who is about to end has no command line any more
                return True
            if str(self.folder) in process.cmdline():
                self._seen.add(process.pid)
                return True
        return False

    _seen: set[int]

    def tidy(self) -> None:
        """End whatever is left."""
        self.open("go-on")
        for each in self.workers():
            with suppress(psutil.Error):
                each.kill()
                each.wait(1.0)
        self.listener.close()


@contextmanager
def shop(kind: Any, grace: float = GRACE) -> Iterator[Shop]:
    """Give a shop whose version one is served."""
    if os.name != "posix":
        raise Slip("this exercise needs a system whose processes inherit descriptors (not Windows)")
    with tempfile.TemporaryDirectory(prefix="shop-", ignore_cleanup_errors=True) as folder:
        found = Shop(kind, folder, grace)
        found._seen = set()
        try:
            found.start()
            found.workers()
            yield found
        finally:
            found.tidy()


def serves_and_stops(kind: Any) -> None:
    """Start, ask, stop."""
    with shop(kind) as here:
        here.call("stop")
        nothing_left(here, 0, "after stop()")
        with suppress(OSError), socket.create_connection(here.address, 0.5):
            raise Broken("after stop() the listening socket is still open: who comes, waits")


def nothing_left(here: Shop, wanted: int, when: str) -> None:
    """Demand so many workers and no zombie."""
    left = here.workers()
    if len(left) == wanted:
        return
    zombies = sum(each.status() == psutil.STATUS_ZOMBIE for each in left)
    dead = f", {zombies} of them a zombie that nobody has waited for" if zombies else ""
    raise Broken(f"{when} there are {len(left)} worker processes{dead}; {wanted} is right")


def while_it_loads(kind: Any) -> None:
    """The new code takes long to import."""
    with shop(kind) as here:
        here.write("two", held=True)
        errors: list[BaseException] = []
        thread = threading.Thread(target=_noting(here.reload, errors), daemon=True)
        thread.start()
        try:
            here.noted("imports-two", "reload() to start a worker, which imports the new code")
            try:
                same(here.ask(), b"one", "while the new code is being imported")
            except Broken as broken:
                raise Broken(f"while the new code is being imported: {broken.problem}") from None
            thread.join(TOO_SOON)
            if not thread.is_alive() and not errors:
                raise Broken("reload() has returned while the new code was still being imported")
        finally:
            here.open("import-two")
            thread.join(CALL + here.grace + 1.0)
        if errors:
            raise errors[0]
        same(here.ask(), b"two", "after reload()")


def _noting(call: Callable[[], object], errors: list[BaseException]) -> Callable[[], None]:
    def run() -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)

    return run


class Stream:
    """A client that asks without a pause, each time on a connection of its own."""

    def __init__(self, here: Shop) -> None:
        self.came: list[bytes] = []
        self.lost: list[str] = []
        self.over = threading.Event()
        self._here = here
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Ask no more."""
        self.over.set()
        self._thread.join(PATIENCE + 1.0)

    def _run(self) -> None:
        while not self.over.wait(STEP):
            try:
                self.came.append(self._here.ask())
            except Broken as broken:
                self.lost.append(broken.problem)


def a_stream(kind: Any) -> None:
    """Clients ask all the while; reloaded more than once, for a loss may be a matter of luck."""
    old: list[bytes] = []
    with shop(kind) as here:
        streams = [Stream(here) for _ in range(STREAMS)]
        try:
            _until(lambda: all(len(each.came) > 3 for each in streams))
            for version in VERSIONS:
                here.write(version)
                here.reload()
                after = [len(each.came) for each in streams]
                _until(partial(_all_longer, streams, after))
                for each, number in zip(streams, after, strict=True):
                    old += {*each.came[number + 1 :]} - {version.encode()}
                if old or any(each.lost for each in streams):
                    break
        finally:
            for each in streams:
                each.end()
        lost = [what for each in streams for what in each.lost]
        if lost:
            total = len(lost) + sum(len(each.came) for each in streams)
            raise Broken(f"{len(lost)} of {total} requests were lost; the first: {lost[0]}")
        if old:
            raise Broken(f"after reload() the old code still answers: {old[-1]!r}")


def _all_longer(streams: list[Stream], after: list[int]) -> bool:
    return all(len(each.came) > n + 5 for each, n in zip(streams, after, strict=True))


def _until(ready: Callable[[], object]) -> None:
    end = time.monotonic() + CALL
    while not ready() and time.monotonic() < end:
        time.sleep(STEP)


def under_way(kind: Any) -> None:
    """A request of the old code is under way."""
    with shop(kind) as here:
        here.write("two")
        errors: list[BaseException] = []
        with Wire(here.address, CALL) as wire:
            wire.send(request("/held", "Connection: close"))
            here.noted("holds-one", "a request to reach the application")
            thread = threading.Thread(target=_noting(here.reload, errors), daemon=True)
            thread.start()
            _until(lambda: _answers(here, b"two") or errors)
            here.open("go-on")
            try:
                answer = wire.response()
            except Broken as broken:
                raise Broken(
                    f"a request that was under way when reload() began: {broken.problem}"
                ) from None
            wire.close()  # until then the server lingers
            thread.join(CALL + here.grace + 1.0)
            if errors:
                raise errors[0]
            same(answer.body, b"one", "a request that was under way when reload() began")
        same(here.ask(), b"two", "after reload()")


def _answers(here: Shop, version: bytes) -> bool:
    try:
        return here.ask() == version
    except Broken:
        return False


def old_is_gone(kind: Any) -> None:
    """Reload twice, and look at who is there."""
    with shop(kind) as here:
        for version in ("two", "three"):
            here.write(version)
            here.reload()
            nothing_left(here, 1, f"after reload() to version {version}")
            same(here.ask(), version.encode(), "after reload()")


def code_that_does_not_load(kind: Any) -> None:
    """The new code is broken; then it is mended."""
    with shop(kind) as here:
        here.write("two", broken=True)
        got = here.call("reload")
        try:
            same(here.ask(), b"one", "the new code cannot be imported")
        except Broken as broken:
            raise Broken(f"the new code cannot be imported, and then: {broken.problem}") from None
        if got is not False:
            raise Broken(f"the new code cannot be imported, and reload() returned {got!r}")
        nothing_left(here, 1, "after a reload() that failed")
        here.write("three")
        here.reload()
        same(here.ask(), b"three", "after a second reload()")


def never_ends(kind: Any) -> None:
    """A request of the old code never ends."""
    with shop(kind, SHORT_GRACE) as here:
        here.write("two")
        with Wire(here.address, CALL) as wire:
            wire.send(request("/held", "Connection: close"))
            here.noted("holds-one", "a request to reach the application")
            here.reload()
            nothing_left(here, 1, f"after a reload() with a grace of {SHORT_GRACE:g} s")
        same(here.ask(), b"two", "after reload()")


RELOAD = Exercise(
    name="reload-without-loss",
    chapter=6,
    title="New code, and no request is lost",
    effort=3,
    subject="Supervisor",
    points=(
        Point(
            "start and stop",
            serves_and_stops,
            "a worker without the socket: subprocess closes every descriptor in the child but "
            "those in pass_fds. Or an end that is only asked for: terminate() returns at once, and "
            "who has ended stays a zombie until somebody waits for it.",
            "waitpid(2)",
        ),
        Point(
            "while the new code is loading",
            while_it_loads,
            "ending the old worker before the new one is ready: the socket keeps who comes in its "
            "queue, so nobody is refused, but nobody is answered either, for as long as the import "
            "takes. Read the line from the new one first.",
            "listen(2)",
        ),
        Point(
            "a stream of requests",
            a_stream,
            "closing the socket, or killing whoever has accepted. The queue of clients belongs to "
            "the listening socket: as long as one process holds it, nobody is turned away.",
            "listen(2)",
        ),
        Point(
            "a request under way",
            under_way,
            "killing the old worker. SIGKILL cuts what it has accepted; SIGTERM asks it to finish.",
            "signal(7)",
        ),
        Point(
            "the old one is gone",
            old_is_gone,
            "leaving the old worker where it is: it accepts from the same socket, so its code goes "
            "on to answer. Or forgetting who is the new one: the next reload ends the wrong one.",
        ),
        Point(
            "code that does not load",
            code_that_does_not_load,
            "taking it for granted that the new worker comes up. When it ends, its standard output "
            "ends: readline() returns b''. Then nothing may have happened to the old one.",
        ),
        Point(
            "a request that never ends",
            never_ends,
            "waiting for the old worker as long as it likes. wait(grace) raises TimeoutExpired: "
            "what then? And wait() once more behind it, or a zombie stays.",
        ),
    ),
    hints=(
        "Write down the order first: what must be true before the old worker hears anything? And "
        "which methods need the two halves, a new worker that is ready and an old one that ends?",
        "launch(): Popen(command, pass_fds=[listener.fileno()], stdout=PIPE), then readline(): a "
        "line, or b'' from one that has ended. retire(worker): terminate(), wait(grace), and at "
        "TimeoutExpired kill() and wait().",
        """
        Nearly all of it:

            new = self.launch()
            if new is None:
                return False
            old, self.worker = self.worker, new
            self.retire(old)
            return True
        """,
    ),
    afterwards="""
        It is all in the socket: it belongs to no worker, so workers come and go behind it. nginx,
        uWSGI and systemd's socket activation are built on the same inheritance.

        Gunicorn does it at SIGHUP with fork, and in another order: it starts the new workers and
        tells the old ones to finish at once, ready or not (reload and manage_workers in
        gunicorn/arbiter.py), so during a long import the queue waits. And new code that does not
        load ends the whole server: its worker exits with status 3, and the master shuts down
        ("Worker failed to boot"). At SIGUSR2 it starts a second master that inherits the socket,
        and leaves it to you to end the first one: that is your reload(), by hand.
        """,
    seconds=14.0,
    measures=True,
)
