"""The pairs and the table of a notebook, asked for in the background while somebody reads.

    survey = Survey(servers, features, pairs(servers, frameworks))    # returns at once
    survey.pairs()                                    # waits for what is needed, and no more
    survey.rows("lifespan", "state")

To ask everything takes half a minute, most of it waiting: for servers to start, and for what they
do not say.  So a thread of its own asks, first the pairs and then the rows, in their order, and
each cell of the notebook waits for its part alone.  Few servers run at a time, for a reader's
machine does other things too; what could not be found out is asked for once more when all else is
done, one server at a time, and that is what stands in the table then.  ``close`` ends it early; it
is called at the end of the process too, and what had been started is gone then.
"""

from __future__ import annotations

import atexit
import datetime
import platform
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from typing import TypeVar, cast

from .features import Cell, features_of
from .pair_table import PairTable
from .pairs import Conversation, Pair, converse_all
from .probing import MISSING, Bounds, probing
from .servers import SERVERS
from .starting import Run, serving
from .table import Column, FeatureTable, Row, mark, server_of

LANES = Bounds(lanes=4)
ALONE = Bounds(lanes=1)
AT_ONCE = 4  # pairs that are spoken to at a time: starting them is most of it
PATIENCE = 150.0  # seconds for a part of it; a cell's own limit is shorter
STEP = 0.2  # seconds between two looks whether the caller is to be interrupted
GOODBYE = 20.0  # seconds that servers have to end, when nobody wants them any more
Answer = TypeVar("Answer")


class Unwanted(BaseException):
    """Ends the asking from inside; no error."""


class Survey:
    """Pairs of servers and frameworks, and the features of ASGI servers; see the module.

    Raise LookupError at once for a name that there is none of.
    """

    def __init__(
        self, servers: Iterable[str], features: Iterable[str], pairs: Iterable[Pair] = ()
    ) -> None:
        self._servers = [server_of(name, "asgi") for name in servers]
        self._pairs = list(pairs)
        self._features = [each for name in features for each in features_of("asgi", [name])]
        self._cells: dict[tuple[str, str], Cell] = {}
        self._conversations: list[Conversation] = []
        self._news = threading.Condition()
        self._trouble: BaseException | None = None
        self._unwanted = False
        self._thread = threading.Thread(target=self._ask, name="survey", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def pairs(self) -> PairTable:
        """Return all pairs, when each of them has been spoken to."""
        self._wait(lambda: len(self._conversations) == len(self._pairs), "the pairs")
        date, system = _now()
        return PairTable(self._conversations, [], date, platform.python_version(), system)

    def rows(self, *names: str) -> FeatureTable:
        """Return some rows, when every server was asked for each of them; by default all."""
        wanted = [each for each in self._features if each.name in names or not names]
        missing = set(names) - {each.name for each in wanted}
        if missing:
            raise LookupError(f"{min(missing)!r} is not asked for here")
        keys = {(server.name, each.name) for server in self._servers for each in wanted}
        self._wait(lambda: keys <= self._cells.keys(), ", ".join(names) or "all rows")
        date, system = _now()
        return FeatureTable(
            "asgi", [Column.of(each) for each in self._servers], [Row.of(each) for each in wanted],
            {key: self._cells[key] for key in keys}, date=date, python=platform.python_version(),
            system=system,
        )  # fmt: skip

    def close(self) -> None:
        """Ask no more, and wait until all that was started has ended."""
        self._unwanted = True
        self._thread.join(GOODBYE)
        atexit.unregister(self.close)

    # ------------------------------------------------------------ in its own thread

    def _ask(self) -> None:
        try:
            talks = cast(Generator[Conversation, None, None], converse_all(self._pairs, AT_ONCE))
            with closing(talks):
                for each in talks:
                    self._hear(partial(self._conversations.append, each))
            found = probing(self._servers, self._features, LANES, self._cell)
            for server in self._servers:
                unknown = {each.feature for each in found.cells
                           if each.server == server.name and _unknown(each)}  # fmt: skip
                rows = [each for each in self._features if each.name in unknown]
                for cell in probing([server], rows, ALONE).cells if rows else ():
                    self._hear(partial(self._keep, cell))
        except Unwanted:
            self._trouble = RuntimeError("the survey was closed")
        except BaseException as error:  # whoever waits is told of it
            self._trouble = error
        finally:
            with self._news:
                self._news.notify_all()

    def _cell(self, cell: Cell, done: int, of: int) -> None:
        self._hear(partial(self._keep, cell) if not _unknown(cell) else lambda: None)

    def _keep(self, cell: Cell) -> None:
        self._cells[cell.server, cell.feature] = cell

    def _hear(self, keep: Callable[[], object]) -> None:
        if self._unwanted:
            raise Unwanted
        with self._news:
            keep()
            self._news.notify_all()

    def _wait(self, there: Callable[[], bool], what: str) -> None:
        """Wait in small steps, so that Ctrl-C and a cell's limit get through."""
        end = time.monotonic() + PATIENCE
        with self._news:
            while not there():
                if self._trouble is not None:
                    raise RuntimeError(f"{what} cannot be had: {self._trouble}")
                if not self._thread.is_alive() or time.monotonic() > end:
                    raise TimeoutError(f"{what} did not come within {PATIENCE:g} s")
                self._news.wait(STEP)


def _unknown(cell: Cell) -> bool:
    """Tell whether a cell could not be filled, of a server that is there."""
    return mark(cell) == "!" and cell.said != MISSING


def _now() -> tuple[str, str]:
    """Return the date, and what system this is, for the stamp of a table."""
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return date, f"{platform.system()} {platform.machine()}"


# ---------------------------------------------------------------- one look at several servers


def each_of(
    names: Iterable[str], look: Callable[[Run], Answer], way: str = "plain", app: str = ""
) -> dict[str, Answer]:
    """Start servers at the same time, look at each, and return what was seen, by name.

    A look has the server's ``Run``: its own connections, and its notes.  Raise CannotServe for a
    server that does not start.
    """
    wanted = list(names)

    def one(name: str) -> Answer:
        with serving(SERVERS[name], way, app) as run:
            run.begin()
            return look(run)

    with ThreadPoolExecutor(len(wanted)) as pool:
        return dict(zip(wanted, pool.map(one, wanted), strict=True))


def bytes_of(sent: bytes, until: bytes = b"", seconds: float = 3.0) -> Callable[[Run], bytes]:
    """Return a look that sends bytes, and returns all that comes up to ``until`` or to the end.

    ``seconds`` of silence end it too.
    """

    def look(run: Run) -> bytes:
        buf = bytearray()
        with socket.create_connection(run.live.address, timeout=seconds) as sock:
            sock.sendall(sent)
            with suppress(TimeoutError, ConnectionResetError):  # what has come is the answer
                while data := sock.recv(65536):
                    buf += data
                    if until and until in buf:
                        break
        return bytes(buf)

    return look
