"""Every question to some servers, several at a time, and nothing left behind.

    found = probing(servers_of("wsgi"), features_of("wsgi"))

A *lane* is a thread that runs one server at a time and asks it one probe after the other; several
lanes share what is to be asked, and may run the same server twice.  A server lives on from probe to
probe and is started anew behind one that upset it.  Each probe has a thread of its own: one that
hangs is cut, and the rest goes on.  What a server does never ends the whole; it stands in its cell.

Probes that measure time come last, on few lanes, where the others' work is not in their numbers.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # published without types

from workbench.contracts import Broken
from workbench.deadline import TookTooLong
from workbench.gauntlet.asking import BoundedWire, request

from . import remains
from .features import FAILED, Cell, Feature, ask
from .servers import RealServer
from .starting import CannotServe, Run, serving

MISSING = "missing"
LEFT_OUT = "not asked"
CALM_LANES = 4
CUTS = 3  # probes of one server that are cut before the rest of them is not asked any more
CALM = 3.0  # seconds that a server has to answer a plain request after a probe
LAST_BREATH = 0.3  # seconds from a server's last word to the end of its process
STEP = 0.05  # seconds between two looks of who waits
UNWIND = 5.0  # seconds that a probe which was cut has to close what it opened

Heard = Callable[[Cell, int, int], None]
Key = tuple[str, str]


@dataclass(frozen=True)
class Bounds:
    """How many servers run at a time, and the seconds for a probe and for the whole."""

    lanes: int = 8
    probe: float = 25.0
    whole: float = 400.0


USUAL = Bounds()


@dataclass
class Probed:
    """What came: the cells in the order of servers and features, and what else was to be told.

    ``notes`` are pairs of a server's name and a sentence; ``took`` tells the seconds of each probe.
    """

    cells: list[Cell]
    notes: list[tuple[str, str]] = field(default_factory=list)
    took: dict[tuple[str, str], float] = field(default_factory=dict)
    seconds: float = 0.0


def probing(
    servers: Sequence[RealServer],
    features: Sequence[Feature],
    bounds: Bounds = USUAL,
    heard: Heard = lambda cell, done, of: None,
) -> Probed:
    """Ask each feature of each server whose interface has it; ``heard`` is told of each cell.

    Raise nothing for what a server does; KeyboardInterrupt and TookTooLong of the thread that calls
    end all, and go on upwards when no process is left.
    """
    work = _Work(servers, features, bounds)
    begin = time.monotonic()
    for few, lanes in ((False, bounds.lanes), (True, min(CALM_LANES, bounds.lanes))):
        _all_lanes(work, few, lanes, begin + bounds.whole, heard)
    order = {(each.name, row.name): work.cells.get((each.name, row.name)) for each, row in work.all}
    cells = [cell for cell in order.values() if cell is not None]
    return Probed(cells, work.notes, work.took, time.monotonic() - begin)


def _all_lanes(work: _Work, measured: bool, number: int, end: float, heard: Heard) -> None:
    """Run some lanes until all is asked; in this thread the cells are told."""
    work.begin(measured)
    lanes = [_Lane(work) for _ in range(min(number, work.left()))]
    for lane in lanes:
        lane.start()
    try:
        while any(lane.is_alive() for lane in lanes):
            if time.monotonic() > end:
                work.stop("the time for all probes is over")
            with suppress(queue.Empty):
                work.tell(heard, STEP)
    except BaseException:
        work.stop("stopped")
        for lane in lanes:
            lane.end()
        raise
    work.close(time.monotonic() > end)
    with suppress(queue.Empty):
        while True:
            work.tell(heard, 0.0)


# --- what is to be asked ----------------------------------------------------------------------


class _Work:
    """The cells that are wanted, those that have come, and who asks what next."""

    def __init__(
        self, servers: Sequence[RealServer], features: Sequence[Feature], bounds: Bounds
    ) -> None:
        self.bounds = bounds
        self.all = [
            (server, row)
            for server in servers
            for row in features
            if row.interface in ("http", server.interface)
        ]
        self.cells: dict[tuple[str, str], Cell] = {}
        self.notes: list[tuple[str, str]] = []
        self.took: dict[tuple[str, str], float] = {}
        self._new: queue.SimpleQueue[Cell] = queue.SimpleQueue()
        self._told = 0
        self.stopped = ""
        self._lock = threading.Lock()
        self._pending: dict[Key, deque[tuple[RealServer, Feature]]] = {}
        self._lanes: dict[Key, int] = {}
        self._started: set[Key] = set()
        self._cuts: dict[Key, int] = {}
        self._missing = {each.name: each.missing for each in servers}

    def begin(self, measured: bool) -> None:
        """Put the rows that measure, or those that do not, in line; tell what needs no server."""
        for server, row in self.all:
            if row.measured is not measured:
                continue
            if why := self._missing[server.name]:
                self.put(Cell(server.name, row.name, MISSING, problem=why))
            elif row.way not in server.ways:
                self.put(ask(row, server))
            else:
                key = (server.name, row.way)
                self._pending.setdefault(key, deque()).append((server, row))

    def left(self) -> int:
        """Return how many probes wait."""
        return sum(map(len, self._pending.values()))

    def put(self, cell: Cell) -> None:
        """Keep a cell, and have it told."""
        self.cells[cell.server, cell.feature] = cell
        self._new.put(cell)

    def tell(self, heard: Heard, patience: float) -> None:
        """Tell one cell, in the thread that waits for all; raise queue.Empty when none comes."""
        cell = self._new.get(timeout=patience) if patience else self._new.get_nowait()
        self._told += 1
        heard(cell, self._told, len(self.all))

    def next(self, last: Key | None) -> tuple[Key, RealServer, Feature] | None:
        """Return what a lane is to ask next: of the server that it runs, else where most waits."""
        with self._lock:
            if self.stopped:
                return None
            key = last if last in self._pending else self._busiest()
            if last is not None and key != last:
                self._lanes[last] -= 1
            if key is None:
                return None
            if key != last:
                self._lanes[key] = self._lanes.get(key, 0) + 1
            server, row = self._pending[key].popleft()
            if not self._pending[key]:
                del self._pending[key]
            return key, server, row

    def _busiest(self) -> Key | None:
        """Return the server and way with the most probes for each lane that is there already."""
        found = [
            (len(line) / (1 + self._lanes.get(key, 0)), key)
            for key, line in self._pending.items()
            if self._lanes.get(key, 0) < line[0][0].jobs
        ]
        # A start costs about as much as a probe: nobody joins for the last one.
        worth = [(share, key) for share, key in found if share > 1 or not self._lanes.get(key)]
        return max(worth)[1] if worth else None

    def runs(self, key: Key) -> None:
        """Note that a server has started this way."""
        self._started.add(key)

    def cannot(self, key: Key, server: RealServer, row: Feature, why: str) -> None:
        """Note that a server did not start; where it never did, all its probes are answered."""
        self.put(Cell(server.name, row.name, FAILED, problem=why))
        if key not in self._started:
            self._give_up(key, FAILED, why)

    def cut(self, key: Key) -> None:
        """Count a probe that was cut; after a few of them the server is left alone."""
        self._cuts[key] = self._cuts.get(key, 0) + 1
        if self._cuts[key] >= CUTS:
            why = f"not asked: {CUTS} probes of this server were cut before"
            self._give_up(key, LEFT_OUT, why)

    def _give_up(self, key: Key, said: str, why: str) -> None:
        with self._lock:
            left = self._pending.pop(key, deque())
        for server, row in left:
            self.put(Cell(server.name, row.name, said, problem=why))

    def stop(self, why: str) -> None:
        """Let no more be asked."""
        self.stopped = self.stopped or why

    def close(self, late: bool) -> None:
        """Fill the cells that were not asked for want of time."""
        if late:
            self.stop("the time for all probes is over")
        for key in list(self._pending):
            self._give_up(key, LEFT_OUT, self.stopped)


# --- who asks ---------------------------------------------------------------------------------


class _Lane(threading.Thread):
    """Runs one server after the other, and asks it one probe after the other."""

    def __init__(self, work: _Work) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._stack = ExitStack()
        self._run: Run | None = None
        self._key: Key | None = None

    def run(self) -> None:
        """Ask until nothing waits."""
        try:
            while (task := self._work.next(self._key)) is not None:
                key, server, row = task
                if key != self._key:
                    self._leave()
                self._key = key
                self._take(key, server, row)
        finally:
            self._leave()
            self._tell(
                f"killed, for it would not go: {name}" for name in end_all(children_of(self))
            )

    def end(self) -> None:
        """Wait until the lane has ended, whose work was stopped; it may be starting a server."""
        self.join(UNWIND)
        if self.is_alive():
            end_all(children_of(self))
            self.join(2 * UNWIND)

    def _take(self, key: Key, server: RealServer, row: Feature) -> None:
        """Ask one probe, and leave a server that it has upset."""
        try:
            run = self._serve(key, server)
        except Exception as error:
            why = str(error) if isinstance(error, CannotServe) else f"{server.title}: {error!r}"
            self._work.cannot(key, server, row, why)
            return
        question, begin = _Question(row, server, run), time.monotonic()
        cell = question.ask(self._work)
        self._work.took[server.name, row.name] = time.monotonic() - begin
        if cell is not None:
            self._work.put(_with_its_end(cell, run))
            if not answers(run):
                self._leave()
            self._tell(f"{row.name} has left behind: {name}" for name in question.left)
            return
        where = question.cut()
        words = run.live.words()
        self._leave()  # which also ends what the probe still waits for
        seconds = self._work.bounds.probe
        problem = f"stopped {where}" if self._work.stopped else f"cut after {seconds:g} s {where}"
        problem += f"; the server's last words: {words}" if words else ""
        problem += question.end()
        self._work.put(Cell(server.name, row.name, FAILED, problem=problem))
        self._work.cut(key)

    def _serve(self, key: Key, server: RealServer) -> Run:
        """Return the server that this lane runs, started when need be."""
        if self._run is None:
            self._run = self._stack.enter_context(serving(server, key[1]))
            self._work.runs(key)
        return self._run

    def _leave(self) -> None:
        """Stop the server of this lane; what goes wrong with that is told."""
        run, self._run = self._run, None
        try:
            self._stack.close()
        except Exception as error:
            self._tell([f"does not stop well: {error!r}"])
        if run is not None:
            last = next((line for line in reversed(run.log) if line.strip()), "nothing")
            self._tell(f"left behind, and killed: {each}; its log ends: {last}"
                       for each in run.survivors)  # fmt: skip

    def _tell(self, words: Iterable[str]) -> None:
        """Note something about the server that this lane runs."""
        self._work.notes.extend((self._key[0] if self._key else "", each) for each in words)


class _Question(threading.Thread):
    """One probe, in a thread that can be cut."""

    def __init__(self, row: Feature, server: RealServer, run: Run) -> None:
        super().__init__(daemon=True)
        self._row = row
        self._server = server
        self._asking = run.again()
        self._cell: Cell | None = None
        self.left: list[str] = []
        """The processes that the probe had started and not ended; they were killed."""

    def run(self) -> None:
        """Ask, and keep the cell."""
        try:
            self._cell = ask(self._row, self._server, self._asking)
        except TookTooLong:
            pass  # cut: the lane fills the cell
        except BaseException as error:  # a probe that fails in itself spoils no other cell
            problem = f"the probe failed: {error!r}"
            self._cell = Cell(self._server.name, self._row.name, FAILED, problem=problem)
        self.left = end_all(children_of(self))

    def ask(self, work: _Work) -> Cell | None:
        """Return the cell, or None when it does not come in time or all is to end."""
        self.start()
        end = time.monotonic() + work.bounds.probe
        while self.is_alive():
            self.join(STEP)
            if time.monotonic() > end or work.stopped:
                return None
        return self._cell

    def cut(self) -> str:
        """Have the probe end where it stands; return the place."""
        where = self._place()
        ident, error = ctypes.c_ulong(self.ident or 0), ctypes.py_object(TookTooLong)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, error)
        self._asking.cut()
        self.join(1.0)
        return where

    def end(self) -> str:
        """Wait until it has ended, kill what it has started; tell in words when it has not."""
        self.join(UNWIND)
        if self.is_alive():
            end_all(children_of(self))
            self.join(1.0)
        return f"; its thread cannot be ended {self._place()}" if self.is_alive() else ""

    def _place(self) -> str:
        """Return the innermost line of the probe's own module, without a path."""
        frame = sys._current_frames().get(self.ident or 0)
        own = self._row.run.__code__.co_filename
        while frame is not None:
            if frame.f_code.co_filename == own:
                return f"at {Path(own).name}:{frame.f_lineno} in {frame.f_code.co_name}"
            frame = frame.f_back
        return "before its first line"


def _with_its_end(cell: Cell, run: Run) -> Cell:
    """Add to a cell that the server has ended by itself, and its last words."""
    live = run.live
    failed = cell.said == FAILED
    if live.alive and not (failed and live.ended_within(LAST_BREATH)):
        return cell
    if run.was_stopped:
        return cell
    words = live.words()
    ended = f"the server has ended ({how_it_ended(run.pid)}){': ' + words if words else ''}"
    return replace(cell, problem=f"{cell.problem}; {ended}" if cell.problem else ended)


def how_it_ended(pid: int) -> str:
    """Tell how a child of ours ended that nobody has waited for yet."""
    with suppress(OSError):
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is not None and ended.si_code == os.CLD_EXITED:
            return f"exit {ended.si_status}"
        if ended is not None:
            return signal.Signals(ended.si_status).name
    return "nobody knows how"


def answers(run: Run) -> bool:
    """Tell whether a server is fit for the next probe: it answers, or accepts where TLS is spoken.

    Raise nothing.
    """
    if not run.live.alive or run.was_stopped:
        return False
    with suppress(Broken), BoundedWire(run.live.address, CALM, time.monotonic() + CALM) as wire:
        if run.way not in ("plain", "workers"):
            return True
        return wire.send(request("/ok", "Connection: close")).until_any()
    return False


def children_of(thread: threading.Thread) -> list[psutil.Process]:
    """Return the processes that a thread has started and that still run; none but on Linux."""
    try:
        text = Path(f"/proc/self/task/{thread.native_id}/children").read_text("ascii")
    except OSError:
        return []
    found = []
    for word in text.split():
        with suppress(psutil.Error):
            found.append(psutil.Process(int(word)))
    return remains.running(found)


def end_all(processes: Iterable[psutil.Process]) -> list[str]:
    """Kill processes and all below them; return the command lines of the first."""
    given = list(processes)
    names = [remains.named(each) for each in given]
    remains.kill([low for each in given for low in remains.below(each.pid)])
    return names
