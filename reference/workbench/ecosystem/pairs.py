"""Every framework on every server that speaks its interface: the board, served and spoken to.

    for conversation in converse_all(pairs()):
        print(conversation)

A *pair* is one server, in one configuration, with one framework's board.  Which pairs there are
follows from the interfaces alone; one that could be thought of and cannot be says why not.  What is
said to a pair stands in ``conversation``.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from workbench.board.upstream import upstream

from .conversation import Speaking, Step, speak
from .servers import SERVERS, RealServer
from .starting import CannotServe, Run, serving

BOARDS = f"{__package__}.boards"
AT_ONCE = 3  # servers that run at a time
ENDS = 1.0  # seconds that a server has to end which has answered nothing well


@dataclass(frozen=True)
class Framework:
    """A framework, and its board: by interface, as ``module:name``.

    ``asyncio`` is what runs on asyncio's loop alone, of the framework or of its board; "" for none.
    """

    name: str
    title: str
    package: str
    boards: Mapping[str, str]
    websocket: bool = False
    asyncio: str = ""


def _frameworks() -> list[Framework]:
    """Return the frameworks in the order of the tables."""
    tasks = "runs every request in tasks of asyncio"
    board = "this board streams by asyncio.sleep, asks by httpx, tells news in a task"
    return [
        Framework("flask", "Flask", "flask", {"wsgi": f"{BOARDS}.flask_board:app"}),
        Framework("django", "Django", "django",
                  {"wsgi": f"{BOARDS}.django_board.wsgi:application",
                   "asgi": f"{BOARDS}.django_board.asgi:application"},
                  asyncio=f"Django {tasks}"),
        Framework("starlette", "Starlette", "starlette",
                  {"asgi": f"{BOARDS}.starlette_board:app"}, True, board),
        Framework("quart", "Quart", "quart", {"asgi": f"{BOARDS}.quart_board:app"}, True,
                  f"Quart {tasks}"),
        Framework("fastapi", "FastAPI", "fastapi",
                  {"asgi": f"{BOARDS}.fastapi_board:app"}, True, board),
    ]  # fmt: skip


FRAMEWORKS = {each.name: each for each in _frameworks()}


@dataclass(frozen=True)
class Pair:
    """A server and a framework that it can carry, unless ``why_not`` says otherwise."""

    server: RealServer
    framework: Framework

    @property
    def name(self) -> str:
        """What it is called, for example ``gunicorn-flask``."""
        return f"{self.server.name}-{self.framework.name}"

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.framework.title} on {self.server.title}"

    @property
    def app(self) -> str:
        """The board that is served, as ``module:name``."""
        return self.framework.boards[self.server.interface]

    @property
    def why_not(self) -> str:
        """Return why this pair cannot be, though the interface allows it; "" where it can."""
        if self.server.name == "ours-loop" and self.framework.asyncio:
            return f"needs asyncio: {self.framework.asyncio}"
        return ""


def thinkable() -> list[Pair]:
    """Return every server with every framework of its interface, also those that cannot be."""
    return [
        Pair(server, framework)
        for server in SERVERS.values()
        for framework in FRAMEWORKS.values()
        if server.interface in framework.boards
    ]


def pairs(servers: Iterable[str] = (), frameworks: Iterable[str] = ()) -> list[Pair]:
    """Return every pair that can be, or those of some servers and frameworks, by name.

    Raise LookupError for a name that is none.
    """
    wanted, boards = set(servers), set(frameworks)
    for given, known in ((wanted, SERVERS), (boards, FRAMEWORKS)):
        if unknown := given - set(known):
            raise LookupError(f"nothing is called {min(unknown)!r}: there are {', '.join(known)}")
    return [
        pair
        for pair in thinkable()
        if not pair.why_not
        and (not wanted or pair.server.name in wanted)
        and (not boards or pair.framework.name in boards)
    ]


@dataclass
class Conversation:
    """What came of speaking to a pair.

    ``problem`` tells why there was nothing to speak to; ``log`` is the last line that the server
    has said, where something failed.  ``seconds`` go from its start to its end.
    """

    pair: Pair
    steps: list[Step] = field(default_factory=list)
    seconds: float = 0.0
    problem: str = ""
    log: str = ""

    @property
    def good(self) -> bool:
        """True when the server ran, and every step that is judged went as it should."""
        return not self.problem and all(each.good is not False for each in self.steps)

    @property
    def first(self) -> str:
        """The first difference from what should have come, "" for none."""
        wrong = [f"{each.name}: {each.seen}" for each in self.steps if each.good is False]
        return self.problem or (wrong[0] if wrong else "")

    @property
    def said(self) -> str:
        """What stands in a table: how many of the steps that are judged went well."""
        judged = [each for each in self.steps if each.good is not None]
        if self.problem:
            return "not installed" if self.pair.server.missing else "does not start"
        return f"{sum(each.good is True for each in judged)} of {len(judged)}"

    def step(self, name: str) -> Step:
        """Return one step; raise LookupError where there is none of that name."""
        for each in self.steps:
            if each.name == name:
                return each
        raise LookupError(f"no step {name!r}: there are {', '.join(s.name for s in self.steps)}")

    def __str__(self) -> str:
        lines = [f"{self.pair.title}: {self.said}"]
        signs = {True: "✓", False: "✗", None: "·"}
        lines += [f"  {signs[each.good]} {each.name:<8}  {each.seen}" for each in self.steps]
        lines += [f"  {self.problem}"] if self.problem else []
        return "\n".join([*lines, *([f"  its log ends: {self.log}"] if self.log else [])])


def converse(
    pair: Pair, upstream_url: str = "", app: str = "", way: str = "plain", **env: str
) -> Conversation:
    """Start the server of a pair, say all that there is to say, and stop it.

    ``upstream_url`` is the service behind ``/slow``, one of its own by default; ``app`` another
    board than the framework's; ``way`` another way of starting.  Nothing is raised for what a
    server does.
    """
    begun, found = time.monotonic(), Conversation(pair)
    with ExitStack() as stack:
        url = upstream_url or stack.enter_context(upstream())
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="board-", ignore_cleanup_errors=True)
        )
        env = {"BOARD_UPSTREAM": url, "BOARD_FOLDER": folder, **env}
        try:
            run = stack.enter_context(serving(pair.server, way, app or pair.app, **env))
        except CannotServe as error:
            found.problem = str(error)
        else:
            address, interface = run.live.address, pair.server.interface
            found.steps = speak(Speaking(address, interface, pair.framework.websocket))
            if not found.good:
                tell_more(found, run)
    found.seconds = time.monotonic() - begun
    return found


def tell_more(found: Conversation, run: Run) -> None:
    """Add the last line that the server has said, and whether it ended without a good answer.

    Who listens before the application is loaded, as Gunicorn does, only seems to start.
    """
    ended = not any(each.good for each in found.steps) and run.live.ended_within(ENDS)
    last = next((line for line in reversed(run.log) if line.strip()), "")
    if ended:
        found.problem = f"{found.pair.server.title}: the server ended after it said: {last}"
        found.steps = []
    else:
        found.log = last


def converse_all(wanted: Iterable[Pair], at_once: int = AT_ONCE) -> Iterator[Conversation]:
    """Speak to many pairs, some at a time; give each conversation in the order of the pairs."""
    with upstream() as url, ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(lambda pair: converse(pair, url), wanted)


def count(found: Iterable[Conversation]) -> str:
    """Return how many pairs serve the board: ``52 of 52 pairs``."""
    good = [each.good for each in found]
    return f"{sum(good)} of {len(good)} pairs"


# --- the systems that the talk names ----------------------------------------------------------

TALK = {
    "Gunicorn": {"wsgi", "asgi"}, "uWSGI": {"wsgi"}, "mod_wsgi": {"wsgi"}, "Hypercorn": {"asgi"},
    "Daphne": {"asgi"}, "Uvicorn": {"asgi"},
    "Flask": {"wsgi"}, "Django": {"wsgi", "asgi"}, "Starlette": {"asgi"}, "Quart": {"asgi"},
}  # fmt: skip
"""The ten systems of the talk, six servers and four frameworks, with the interfaces that each
speaks: written down by hand, so that what ``pairs()`` finds is held against it."""

NAMED_SERVERS = ("Gunicorn", "uWSGI", "mod_wsgi", "Hypercorn", "Daphne", "Uvicorn")


def is_called(system: str, title: str) -> bool:
    """Tell whether a title is that of a system: ``Gunicorn, sync`` is Gunicorn's."""
    return system in re.split(r"\W+", title)


def lacking(found: Iterable[Pair]) -> list[str]:
    """Return which pairs of the ten systems are not among these, as sentences; none is right."""
    there = [(each.server.title, each.server.interface, each.framework.title) for each in found]
    return [
        f"{framework} on {server} by {interface.upper()} is missing"
        for server in NAMED_SERVERS
        for framework in TALK
        if framework not in NAMED_SERVERS
        for interface in sorted(TALK[server] & TALK[framework])
        if not any(
            is_called(server, title) and spoken == interface and name == framework
            for title, spoken, name in there
        )
    ]
