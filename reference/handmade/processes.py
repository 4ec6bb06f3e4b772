"""The shell of shells: several processes that accept from one listening socket.

The parent opens the port, forks, and from then on only watches: it starts a new worker for one that
died, and passes on the wish to stop.  All workers inherit the same listening socket, so a client in
the kernel's queue belongs to no worker in particular, and is not lost when one of them dies.  (Each
with a socket of its own, by SO_REUSEPORT, would lose the queue of the one that died.)
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from .gateway import logger
from .lifespan import LifespanFailed
from .waiting import Waker, let_nobody_in

CANNOT_START = 3  # exit status of a worker that was never ready and never will be: no second try
SHORT_LIFE = 1.0  # seconds: a worker that dies sooner is not replaced at once


class Shell(Protocol):
    """What every shell can do."""

    def serve(self, listener: socket.socket, ready: Callable[[], object] = lambda: None) -> None:
        """Serve until stopped; call ``ready`` when clients can be served."""

    def stop(self) -> None:
        """Stop: finish what has been asked.  Twice: drop it."""


class Worker:
    """A child: when it was born, and whether it has written into its pipe that it is ready."""

    def __init__(self, reader: int) -> None:
        self.born = time.monotonic()
        self.reader = reader
        self._ready = False

    @property
    def ready(self) -> bool:
        """True when it could serve, if only for a moment."""
        if not self._ready and select.select([self.reader], [], [], 0)[0]:
            self._ready = bool(os.read(self.reader, 1))
        return self._ready


class Processes:
    """Keep ``workers`` processes alive, each with a shell made by ``make_shell`` after the fork."""

    def __init__(
        self, make_shell: Callable[[], Shell], workers: int, graceful: float = 30.0
    ) -> None:
        if not hasattr(os, "fork"):
            raise OSError("this system cannot fork: use one process with threads")
        self.make_shell = make_shell
        self.workers = workers
        self.graceful = graceful
        self.status = 0
        self._born: dict[int, Worker] = {}
        self._stops = 0
        self._waker = Waker()
        self._lifeline = os.pipe()

    def stop(self) -> None:
        """Stop all workers: finish what has been asked.  Twice: drop it."""
        self._stops += 1
        self._waker.wake()

    def serve(self, listener: socket.socket, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until stopped; ``status`` is then the exit status.

        The first worker goes ahead: an application that does not load is reported once, and
        ``ready`` is called when one does.
        """
        signal.signal(signal.SIGCHLD, lambda number, frame: self._waker.wake())
        if self._first_worker_is_ready(listener):
            ready()
        while not self._stops:
            self._bury()
            while len(self._born) < self.workers and not self._stops:
                logger.info("worker %d started", self._start(listener))
            self._doze(1.0)
        let_nobody_in(listener)
        listener.close()
        self._stop_workers()

    def _first_worker_is_ready(self, listener: socket.socket) -> bool:
        """Start a worker and wait until its application is there, or it has given up."""
        pid = self._start(listener)
        worker = self._born[pid]
        pipes: list[Any] = [worker.reader, self._waker.reader]
        while not self._stops:
            if worker.reader in select.select(pipes, [], [])[0]:
                break
            self._waker.clear()
        ready = not self._stops and worker.ready
        if ready:
            logger.info("worker %d started", pid)
        elif not self._stops:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # until it can be buried
        return ready

    def _doze(self, seconds: float) -> None:
        """Wait for a signal, or some time."""
        select.select([self._waker.reader], [], [], seconds)
        self._waker.clear()

    # ------------------------------------------------------------ birth and death

    def _start(self, listener: socket.socket) -> int:
        """Fork one worker; it writes into a pipe of its own when its application is there."""
        reader, ready = os.pipe()
        held = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
        try:
            pid = os.fork()  # in the child Python drops the signals that have come meanwhile
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        if pid == 0:
            status = 1
            try:
                status = self._be_worker(listener, ready)
            finally:
                os._exit(status)  # a forked child must never run its parent's clean-up
        os.close(ready)
        self._born[pid] = Worker(reader)
        return pid

    def _be_worker(self, listener: socket.socket, ready: int) -> int:
        """Serve in the child; return the exit status."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            shell = self.make_shell()
        except SystemExit:  # it has said why
            return CANNOT_START
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: shell.stop())
        if self._stops:  # the signal came before we could hear it as our own
            shell.stop()
        os.close(self._lifeline[1])
        threading.Thread(target=self._stop_with_parent, args=(shell,), daemon=True).start()
        try:
            shell.serve(listener, lambda: os.write(ready, b"."))
        except LifespanFailed as error:
            logger.error("%s", error)
            return CANNOT_START
        return 0

    def _stop_with_parent(self, shell: Shell) -> None:
        """Stop when the parent is gone: its end of the pipe closes however it dies."""
        os.read(self._lifeline[0], 1)
        shell.stop()

    def _bury(self) -> None:
        """Notice workers that have died."""
        for pid in list(self._born):
            found, wait_status = os.waitpid(pid, os.WNOHANG)
            if found == 0:
                continue
            worker = self._born.pop(pid)
            lived, was_ready = time.monotonic() - worker.born, worker.ready
            os.close(worker.reader)
            code = os.waitstatus_to_exitcode(wait_status)
            if code == CANNOT_START and not was_ready:
                self.status = 1
                self.stop()
            elif not self._stops:
                logger.error("worker %d %s; starting another", pid, _cause(code))
                if lived < SHORT_LIFE:
                    self._doze(SHORT_LIFE)

    def _stop_workers(self) -> None:
        """Tell all workers to stop; end those that do not."""
        told, deadline = 0, time.monotonic() + self.graceful + 1
        while self._born:
            if told < min(self._stops, 2):
                told += 1
                self._signal(signal.SIGTERM)
            if told == 2:
                deadline = min(deadline, time.monotonic() + 1)
            if time.monotonic() > deadline:
                self._signal(signal.SIGKILL)
            self._doze(0.05)
            self._bury()

    def _signal(self, number: int) -> None:
        """Send a signal to all workers."""
        for pid in self._born:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _cause(code: int) -> str:
    """Tell in words how a process ended."""
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with status {code}"
