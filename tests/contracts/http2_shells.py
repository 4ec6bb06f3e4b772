"""Our asynchronous servers as the contract of HTTP/2 wants them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from contracts.async_shells import IMPATIENT, PATIENT, Serving, logged, serving

from handmade import async_shell
from handmade.http2_events import Http2Limits
from handmade.service import Timeouts


@dataclass
class Http2Ours:
    """One shell (subject of the contract ``http2``)."""

    shell: str
    patience: float = 10.0
    timeouts: Timeouts = PATIENT
    serving: Serving | None = None

    provides = frozenset((
        "timeouts", "graceful", "trailers", "early hints", "defences", "small windows",
    ))  # fmt: skip

    @contextmanager
    def serve(
        self,
        app: Any,
        *,
        impatient: bool = False,
        stream_window: int | None = None,
        log: list[str] | None = None,
        **how: Any,
    ) -> Iterator[tuple[str, int]]:
        if stream_window is not None:
            how["http2"] = Http2Limits(stream_window=stream_window)
        with ExitStack() as stack:
            stack.enter_context(logged(log))
            if impatient:
                stack.enter_context(mock.patch.object(async_shell, "SWEEP", 0.1))
            how.setdefault("timeouts", IMPATIENT if impatient else self.timeouts)
            self.serving = stack.enter_context(serving(app, self.shell, **how))
            yield self.serving.address

    def stop(self) -> None:
        """Stop gracefully, and return when it has stopped."""
        assert self.serving is not None
        self.serving.stop()
