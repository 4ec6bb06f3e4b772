"""What a server leaves behind, wherever it went, and the end of it.

A child that left its process group, or whose parent is gone, belongs to nobody that could be asked.
But every process inherits an environment: a server is started with one variable that no other has
(``GAUNTLET_FOLDER``, the folder of its notes), and who carries that came from it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

import psutil  # type: ignore[import-untyped]  # published without types

MARK = "GAUNTLET_FOLDER"
WATCHED = "ECOSYSTEM_WATCHED"
"""The variable by which ``leftovers`` knows what was started below ``now``."""

KILLED = 3.0  # seconds that the kernel has to remove what was killed


def below(pid: int) -> list[psutil.Process]:
    """Return a process and all its descendants; nothing when it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def carrying(name: str, value: str) -> list[psutil.Process]:
    """Return the processes of this machine that run with this in their environment."""
    found = []
    for each in psutil.process_iter():
        try:
            if each.pid != os.getpid() and value in each.environ().get(name, "").split(os.pathsep):
                found.append(each)
        except (psutil.Error, OSError):  # gone, or somebody else's
            continue
    return running(found)


def running(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return those that still run, without us.

    A zombie has ended, whoever ought to wait for it; who has given back its memory is about to.
    """
    found = []
    for each in processes:
        try:
            if each.pid == os.getpid() or not each.is_running():
                continue
            if each.status() != psutil.STATUS_ZOMBIE and each.memory_info().vms:
                found.append(each)
        except psutil.NoSuchProcess:
            continue
    return found


def those_that_stay(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Return those that still run after so many seconds, as soon as none does."""
    end = time.monotonic() + seconds
    left = running(processes)
    while left and time.monotonic() < end:
        time.sleep(0.02)
        left = running(left)
    return left


def kill(processes: Iterable[psutil.Process]) -> None:
    """Kill processes, each by its id, and wait until they are gone."""
    left = running(processes)
    for each in left:
        try:
            each.kill()
        except psutil.NoSuchProcess:
            continue
    those_that_stay(left, KILLED)


def named(process: psutil.Process) -> str:
    """Return the command line of a process in one line, or what else is known of it."""
    try:
        return " ".join(" ".join(process.cmdline()).split())[:200] or process.name()
    except psutil.Error:
        return f"process {process.pid}"


# --- at the end of a whole run ----------------------------------------------------------------


class Moment(float):
    """Seconds since the epoch, and what there was then: a notebook's kernel has ports of its own.

    Processes are told apart by what they are, not by when they began: they count that in ticks from
    the start of the machine, which is known to a second only.
    """

    processes: frozenset[psutil.Process] = frozenset()
    listening: frozenset[int] = frozenset()


def now() -> Moment:
    """Begin to watch: return what ``leftovers`` wants.

    What is started from now on carries our id in its environment, and so do its children.
    """
    before = [each for each in os.environ.get(WATCHED, "").split(os.pathsep) if each]
    if str(os.getpid()) not in before:
        os.environ[WATCHED] = os.pathsep.join([*before, str(os.getpid())])
    moment = Moment(time.time())
    moment.processes = frozenset(_ours())
    moment.listening = frozenset(_ports(psutil.Process()))
    return moment


def leftovers(since: float) -> list[str]:
    """Return a line for each process that came from us after that moment and still runs, with the
    ports on which it listens, and one for each port on which we have listened ever since.

    Those that our descendants have left to the system are found by what ``now`` has marked.  A
    plain number will do where nothing of ours ran in the second before it, and no port was open.
    """
    lines = []
    for each in left(since):
        ports = _ports(each)
        where = f", listens on {', '.join(map(str, ports))}" if ports else ""
        lines.append(f"{named(each)} ({each.pid}){where}")
    own = set(_ports(psutil.Process())) - since.listening if isinstance(since, Moment) else set()
    return lines + [f"this process still listens on {port}" for port in sorted(own)]


def left(since: float) -> list[psutil.Process]:
    """Return the processes that came from us after that moment and still run."""
    ours = _ours()
    if isinstance(since, Moment):
        ours -= since.processes
    else:
        ours = {each for each in ours if _began(each) >= since - 1.0}
    return sorted(running(ours), key=lambda process: process.pid)


def _began(process: psutil.Process) -> float:
    """Return when a process began, give or take a second; 0 when it is gone."""
    try:
        return float(process.create_time())
    except psutil.Error:
        return 0.0


def _ours() -> set[psutil.Process]:
    """Return our descendants, and those that were once."""
    below_us = psutil.Process().children(recursive=True)
    return {*below_us, *carrying(WATCHED, str(os.getpid()))}


def _ports(process: psutil.Process) -> list[int]:
    """Return the TCP ports on which a process listens; none where it cannot be looked into."""
    try:
        return sorted(
            each.laddr.port
            for each in process.net_connections(kind="tcp")
            if each.status == psutil.CONN_LISTEN
        )
    except (psutil.Error, OSError):
        return []
