"""Our servers as the contract wants them: every shell with every engine, in a daemon thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from wsgiref.validate import validator

from handmade import http1, http1_h11
from handmade.blocking import OneAtATime
from handmade.service import Service, Timeouts
from handmade.threads import Threads
from handmade.tls import Tls
from handmade.waiting import listen

PATIENT = Timeouts(head=20, body=20, write=20, idle=20, linger=2, drain=0.05)
IMPATIENT = Timeouts(
    head=0.4, body=0.4, write=0.4, idle=0.4, linger=0.4, drain=0.05, slowest=100_000_000
)
ENGINES = {"http1": http1.Connection, "h11": http1_h11.Connection}
SHELLS: dict[str, Callable[[Service], Any]] = {
    "one": OneAtATime,
    "threads": lambda service: Threads(service, threads=8),
}


@contextmanager
def serving(app: Any, shell: str = "threads", engine: str = "http1", **how: Any) -> Iterator[Any]:
    """Serve ``app`` in a thread; give the address.  Fail when the server does not stop."""
    how.setdefault("timeouts", PATIENT)
    server = SHELLS[shell](Service(app, engine=ENGINES[engine], **how))
    listener = listen("127.0.0.1", 0)
    address = listener.getsockname()
    thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
    thread.start()
    try:
        yield address
    finally:
        server.stop()
        thread.join(20)
        if thread.is_alive():
            server.stop()
            thread.join(5)
            raise AssertionError("the server did not stop")


@dataclass(frozen=True)
class Ours:
    """One shell with one engine; ``validated`` puts wsgiref.validate around well-behaved apps."""

    shell: str
    engine: str
    validated: bool = False
    patience: float = 10.0

    @property
    def provides(self) -> frozenset[str]:
        offered = {"timeouts", "graceful", "script name", "file wrapper", "streamed upload"}
        if self.shell == "threads":
            offered.add("threads")
        if self.engine == "http1":
            offered.add("keep-alive in 1.0")
        return frozenset(offered)

    @contextmanager
    def serve(
        self,
        app: Any,
        *,
        impatient: bool = False,
        script_name: str = "",
        tls: Tls | None = None,
    ) -> Iterator[tuple[str, int]]:
        if self.validated and not getattr(app, "raw", False):
            app = validator(app)
        timeouts = IMPATIENT if impatient else PATIENT
        how = {"timeouts": timeouts, "script_name": script_name, "tls": tls}
        with serving(app, self.shell, self.engine, **how) as address:
            yield address
