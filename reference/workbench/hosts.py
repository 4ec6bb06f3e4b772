"""The ways to run a server for the length of a block, and to be rid of it afterwards.

A `Host` is started, and stopped within a given patience; what hangs then is named, cut off from
its sockets and left behind, for a thread cannot be ended from outside. What the server is for, and
who talks to it, is not known here.
"""

from __future__ import annotations

import asyncio
import errno
import inspect
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from workbench.logs import Log
from workbench.places import place_of_thread

HOST = "127.0.0.1"
SIGN_HOST = "127.0.0.2"
LOW_PORTS = range(20_000, 32_000)
PORTS = random.SystemRandom()  # which no test seeds: two processes must not choose alike
SIGNS = 0.2  # seconds to wait for a thread before the next, ruder way to end it


class Host(Protocol):
    """A server that runs."""

    port: int
    pid: int

    def stop(self, patience: float) -> str:
        """End it within about ``patience`` seconds; say what hung, "" for nothing."""

    def was_read(self, client: tuple[str, int]) -> bool | None:
        """Tell whether the server has read all that a client sent; None where nobody knows."""


class Listener(socket.socket):
    """A listening socket that remembers whom it accepted, so that they can be cut off."""

    def __init__(self, port: int, wrap: Callable[..., socket.socket] | None = None) -> None:
        """Listen on this machine alone. ``wrap`` may replace an accepted socket by another one."""
        original = socket.create_server((HOST, port), backlog=1024)
        super().__init__(original.family, original.type, original.proto, original.detach())
        self._wrap = wrap
        self._accepted: weakref.WeakValueDictionary[tuple[str, int], socket.socket] = (
            weakref.WeakValueDictionary()
        )

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a client."""
        sock, address = super().accept()
        if self._wrap is not None:
            sock = self._wrap(sock)
        self._accepted[address[:2]] = sock
        return sock, address

    def was_read(self, client: tuple[str, int]) -> bool | None:
        """Tell whether nothing of a client's bytes waits to be read; None where we cannot see."""
        sock = self._accepted.get(client)
        if sock is None or sock.fileno() < 0:
            return sock is not None
        try:
            import fcntl
            import termios

            waiting = fcntl.ioctl(sock, termios.FIONREAD, b"\0" * 4)
        except (ImportError, OSError, ValueError):  # ValueError: it was closed this very moment
            return None
        return waiting == b"\0" * 4

    def _clients(self) -> list[socket.socket]:
        # A list of references at one moment: other threads accept and close meanwhile.
        return [sock for ref in self._accepted.valuerefs() if (sock := ref()) is not None]

    def cut(self) -> None:
        """End every read and every accept that waits, on this socket and on the clients'.

        The plain methods are called, past any tap: it is not the server that does this.
        """
        for sock in (self, *self._clients()):
            with suppress(OSError):  # not connected, or closed already
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def let_go(self) -> None:
        """Close this socket and the clients'."""
        for sock in (self, *self._clients()):
            socket.socket.close(sock)


class ThreadHost:
    """A function that serves a listening socket, in a daemon thread.

    ``stop`` asks the function to end; a function without it ends when its sockets are cut.
    """

    def __init__(
        self,
        serve: Callable[[socket.socket], object],
        listener: Listener,
        log: Log,
        stop: Callable[[], object] | None = None,
    ) -> None:
        self.port: int = listener.getsockname()[1]
        self.pid = os.getpid()
        self.was_read = listener.was_read
        self._serve = serve
        self._listener = listener
        self._log = log
        self._stop = stop
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"server-{self.port}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._serve(self._listener)
        except BaseException as error:
            if not self._stopping:
                self._log.failed(error, "the server ended with an error")
                self._listener.close()  # or clients would wait for someone to accept them

    def stop(self, patience: float) -> str:
        """Ask, ask again, cut the sockets: until the thread ends or the patience does."""
        self._stopping = True
        end = time.monotonic() + patience
        if self._stop is not None:
            self._stop()
            self._thread.join(patience)
            if self._thread.is_alive():
                self._stop()
        for step in (self._listener.cut, self._knock, self._listener.let_go):
            if self._thread.is_alive():
                step()
                self._thread.join(max(SIGNS, (end - time.monotonic()) / 3))
        self._listener.let_go()
        return self._what_hangs()

    def _knock(self) -> None:
        """Wake an ``accept`` that a shutdown does not wake, as on macOS."""
        with suppress(OSError), socket.create_connection((HOST, self.port), SIGNS):
            pass

    def _what_hangs(self) -> str:
        """Name the threads of this server that still run, and the line they are at."""
        left = [thread for thread in (self._thread, *self._workers()) if thread.is_alive()]
        places = sorted({place_of_thread(thread.ident) or "the server" for thread in left})
        if not places:
            return ""
        return f"the server did not stop; it hangs at {'; at '.join(places)}"

    def _workers(self) -> Iterator[threading.Thread]:
        """Give the threads that the server started and that still run."""
        marks = (getattr(self._serve, "__self__", self._log), self._log)
        for thread in threading.enumerate():
            if thread is not self._thread and _runs_for(thread, marks):
                thread.join(SIGNS)
                yield thread


def _runs_for(thread: threading.Thread, marks: tuple[object, object]) -> bool:
    """Tell whether a thread is in a method of a shell, or in a call that reports to a log."""
    frame = sys._current_frames().get(thread.ident or -1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.startswith(("handmade.", __name__)):
            found = (frame.f_locals.get("self"), frame.f_locals.get("log"))
            if found[0] is marks[0] or found[1] is marks[1]:
                return True
        frame = frame.f_back
    return False


# --- What a thread may serve ------------------------------------------------------------------


def handler_loop(
    handler: Callable[..., object], log: Log, each: str = "one"
) -> Callable[[socket.socket], None]:
    """Return an accept loop around a function that talks with one client.

    ``each`` is "one" for one client after the other or "thread" for a thread each. The client's
    socket is closed after the call, and what the handler raises is put into the log.
    """
    both = len(inspect.signature(handler).parameters) > 1
    if each not in ("one", "thread"):
        raise ValueError(f'each is "one" or "thread", not {each!r}')

    def handle(sock: socket.socket, address: object) -> None:
        with sock:
            try:
                handler(sock, address) if both else handler(sock)
            except Exception as error:
                log.failed(error, "the handler failed")

    def serve(listener: socket.socket) -> None:
        while True:
            sock, address = listener.accept()
            if each == "one":
                handle(sock, address)
            else:
                threading.Thread(target=handle, args=(sock, address), daemon=True).start()
            del sock  # or a closed client would be held until the next one comes

    return serve


def in_a_loop(
    serve: Callable[[socket.socket], Any],
) -> tuple[Callable[[socket.socket], None], Callable[[], None]]:
    """Return a function that runs a coroutine function in an asyncio loop, and one that ends it."""
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def main(listener: socket.socket) -> None:
        task = asyncio.ensure_future(serve(listener))
        running.append((asyncio.get_running_loop(), task))
        with suppress(asyncio.CancelledError):
            await task

    def stop() -> None:
        for loop, task in running:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(task.cancel)

    return lambda listener: asyncio.run(main(listener)), stop


# --- A command --------------------------------------------------------------------------------


class DidNotStart(RuntimeError):
    """A command ended before it accepted, or does not accept.  ``log`` is all that it printed."""

    def __init__(self, message: str, log: list[str]) -> None:
        super().__init__(message)
        self.log = log


class CommandHost:
    """A server in a process of its own, started by a command line."""

    def __init__(self, command: str, port: int, log: Log, patience: float, **more: Any) -> None:
        """``{port}`` and ``{python}`` in the command are filled in.

        Raise DidNotStart with its last words when the command ends before it accepts.
        """
        self.port, self._sign = (port, None) if port else _free_port()
        self._log = log
        self._output = tempfile.NamedTemporaryFile()  # noqa: SIM115  # closed by stop()
        try:
            self._process = self._start(command, **more)
        except BaseException:
            self._let_go()
            raise
        self.pid = self._process.pid
        self.is_running = True
        try:
            self._wait_until_it_accepts(patience)
        except BaseException:
            self.stop(1.0)
            raise

    def _start(self, command: str, **more: Any) -> subprocess.Popen[bytes]:
        words = shlex.split(command, posix=os.name == "posix")
        words = [word.format(port=self.port, python=sys.executable, host=HOST) for word in words]
        bin_folder = str(Path(sys.executable).parent)
        path = os.pathsep.join([bin_folder, os.environ.get("PATH", "")])
        env = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **more.pop("env", {})}
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
            **more,
        )

    def _let_go(self) -> None:
        self._output.close()
        if self._sign is not None:
            self._sign.close()

    def _wait_until_it_accepts(self, patience: float) -> None:
        end = time.monotonic() + patience
        while not _accepts(self.port):
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
            if self._process.poll() is not None or time.monotonic() > end:
                ended = self._process.poll()
                how = f"ended with {ended}" if ended is not None else "does not accept"
                self.collect()
                said = " / ".join(self._log.lines[-3:]) or "nothing"
                raise DidNotStart(f"the server {how} after it said: {said}", self._log.lines)

    def collect(self) -> None:
        """Take what the command has printed so far into the log."""
        # By name, so with a position of our own: the command goes on writing at its.
        said = Path(self._output.name).read_text("utf-8", "replace")
        self._log.lines[:] = said.splitlines()

    def was_read(self, client: tuple[str, int]) -> bool | None:
        """Nobody knows of another process."""
        return None

    def stop(self, patience: float) -> str:
        """Terminate it, and kill it with its children when it does not go."""
        hung = ""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                hung = f"the server did not end within {patience:g} s and was killed"
        self._kill_group()
        self.is_running = False
        self._process.wait()
        self.collect()
        self._let_go()
        return hung

    def _kill_group(self) -> None:
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        else:
            self._process.kill()


def _free_port() -> tuple[int, socket.socket | None]:
    """Return a port that nobody has, and what keeps it for us until that is closed.

    A system gives out high ports, to servers on port 0 and to clients: with one of those we could
    find somebody else's server where we look for ours.  And we only bind, and do not listen: were
    another thread to fork now, its child would hold the socket for a moment, and accept for ours.

    Between this and the command's own bind another process of ours could choose alike, and a server
    that shares its port (SO_REUSEPORT) would answer for the other.  So who has chosen a port holds
    the same number of UDP, at an address where nobody serves; not on systems without that address.
    """
    for _ in range(100):
        port = PORTS.choice(LOW_PORTS)
        sign = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sign.bind((SIGN_HOST, port))
        except OSError as error:
            sign.close()
            if error.errno == errno.EADDRINUSE:
                continue
        with suppress(OSError), socket.socket() as sock:
            if os.name == "posix":  # or a port whose last connections still fade would seem taken
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((HOST, port))
            return port, sign if sign.fileno() >= 0 else None
        sign.close()
    raise OSError(f"no free port from {LOW_PORTS.start} to {LOW_PORTS.stop}")


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), 0.5):
            return True
    except OSError:
        return False
