"""Real servers that several points of an exercise share: started once, gone soon behind the last.

    servers = kept({"gunicorn": "{python} -m gunicorn {app} -b 127.0.0.1:{port}"})
    servers["gunicorn"].ask(request("/ok")).status

A process of its own, the keeper, starts and ends them. It lives as long as we do, for it hears when
its standard input ends, however we end; and it goes by itself when it is not asked for a while.
Each server runs the gauntlet's probe, or the application that its command names.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from workbench.ecosystem.servers import RealServer
from workbench.ecosystem.starting import serving
from workbench.exercises import runner
from workbench.exercises.model import Slip
from workbench.gauntlet.asking import Asking
from workbench.places import ROOT

IDLE = 15.0  # seconds without a question, after which the keeper ends: longer than any point takes
PROBE = "probe:wsgi"


class Kept(Asking):
    """A server that the keeper runs, and all that can be asked of it; ``pid`` is its first one."""

    def __init__(self, title: str, port: int, pid: int, folder: str) -> None:
        self.title = title
        self.address = ("127.0.0.1", port)
        self.pid = pid
        super().__init__(self, "wsgi", folder)  # type: ignore[arg-type]  # we only need an address


class _Keeper:
    """Our end of the keeper: it is told what to run, and answers with what runs."""

    def __init__(self, commands: Mapping[str, str]) -> None:
        self.commands = dict(commands)
        self.owner = os.getpid()
        ours = [str(ROOT / "reference"), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, ours))},
            start_new_session=True,
            text=True,
        )
        self.servers = self._ask(self.commands)

    def lives(self) -> bool:
        """Tell whether what it keeps still runs."""
        try:
            return bool(self._ask("?"))
        except (OSError, ValueError):
            return False

    def end(self) -> None:
        """Let it end what it keeps: it does that in its own time, and somebody waits for it later.

        A copy of the process that has it leaves it alone.
        """
        if self.owner == os.getpid():
            with contextlib.suppress(OSError):
                self._process.stdin.close()  # type: ignore[union-attr]  # it is a pipe
            self._process.stdout.close()  # type: ignore[union-attr]
            _leaving.append(self._process)

    def _ask(self, what: object) -> dict[str, Any]:
        """Send a line, return the answer; raise ValueError when it has ended."""
        pipe, answers = self._process.stdin, self._process.stdout
        assert pipe is not None
        assert answers is not None
        pipe.write(json.dumps(what) + "\n")
        pipe.flush()
        answer: dict[str, Any] = json.loads(answers.readline())
        return answer


_keeper: _Keeper | None = None
_leaving: list[subprocess.Popen[str]] = []
_failed: dict[str, str] = {}  # what was said of plans that did not start: they are not tried again


def kept(commands: Mapping[str, str]) -> dict[str, Kept]:
    """Return a running server for each name; raise Slip with the last words of one that ends."""
    global _keeper
    plan = json.dumps(dict(commands))
    if plan in _failed:
        raise Slip(_failed[plan])
    same = _keeper is not None and _keeper.commands == dict(commands)
    if _keeper is None or not same or _keeper.owner != os.getpid() or not _keeper.lives():
        let_go()
        _keeper = _Keeper(commands)
    found = {}
    for name, told in _keeper.servers.items():
        if "problem" in told:
            let_go()
            _failed[plan] = f"{name} does not start: {told['problem']}"
            raise Slip(_failed[plan])
        found[name] = Kept(name, **told)
    return found


def let_go() -> None:
    """End what is kept, if anything is."""
    global _keeper
    if _keeper is not None:
        _keeper.end()
        _keeper = None
    _leaving[:] = [each for each in _leaving if each.poll() is None]


def see_them_go() -> None:
    """Wait until what was kept is gone, with the files that it had."""
    let_go()
    for each in _leaving:
        with contextlib.suppress(subprocess.TimeoutExpired):
            each.wait(2.5)


atexit.register(see_them_go)
runner.behind.append(see_them_go)


# --- The keeper -------------------------------------------------------------------------------


def _main() -> None:
    """Start what the first line says, tell where it is, and run it as long as somebody asks."""
    commands = json.loads(sys.stdin.readline())
    over = threading.Event()
    told: dict[str, dict[str, object]] = {}
    with ThreadPoolExecutor(len(commands)) as pool:
        for name, command in commands.items():
            pool.submit(_keep, name, command, told, over)
        try:
            while len(told) < len(commands):
                over.wait(0.005)
            for _ in _questions():
                print(json.dumps(told), flush=True)
        finally:
            over.set()


def _questions() -> Iterator[None]:
    """Give one for the plan, and one for each line that comes, until none does."""
    yield
    while select.select([0], [], [], IDLE)[0] and os.read(0, 100):
        yield


def _keep(
    name: str, command: str, told: dict[str, dict[str, object]], over: threading.Event
) -> None:
    """Run one server until all is over."""
    server = RealServer(name, name, "wsgi", {"plain": command})
    try:
        with serving(server) as run:
            address = run.live.address
            told[name] = {"port": address[1], "pid": run.pid, "folder": str(run._folder)}
            over.wait()
    except Exception as error:  # whatever it is: somebody waits for a word of it
        told[name] = {"problem": str(error).removeprefix(f"{name}: ")}


if __name__ == "__main__":
    _main()
