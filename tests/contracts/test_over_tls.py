"""The contracts of both kinds of servers, over TLS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from contracts import async_shells, shells
from contracts.tls_relay import Relay
from tls_clients import tls

from workbench.contracts import asgi, server

# They ask for the scheme http, or for addresses that a relay hides: test_tls.py asks for ours.
LEFT_OUT = {
    "both addresses", "no root path", "the websocket scope", "environ is fresh",
    "SERVER_NAME and SERVER_PORT", "wsgi.url_scheme",
    "empty messages count",  # a relay takes what our server does not
}  # fmt: skip


class AsgiOverTls(async_shells.Ours):
    """An asynchronous shell behind the relay (subject of the contract ``asgi``)."""

    @contextmanager
    def serve(self, app: Any, **how: Any) -> Iterator[tuple[str, int]]:
        with Relay() as relay, super().serve(app, **how, tls=tls()) as relay.address:
            yield relay.place


class WsgiOverTls(shells.Ours):
    """A blocking shell behind the relay (subject of the contract ``server``)."""

    @contextmanager
    def serve(self, app: Any, **how: Any) -> Iterator[tuple[str, int]]:
        with Relay() as relay, super().serve(app, **how, tls=tls()) as relay.address:
            yield relay.place


SUBJECTS = [
    *((AsgiOverTls(shell, "http1"), asgi.cases_for) for shell in async_shells.SHELLS),
    *((WsgiOverTls(shell, "http1"), server.cases_for) for shell in shells.SHELLS),
]
CASES = [
    (subject, case)
    for subject, cases_for in SUBJECTS
    for case in cases_for(subject)
    if case.name not in LEFT_OUT
]


def name_of(value: Any) -> str:
    return value.shell if hasattr(value, "shell") else value.name.replace(" ", "_")


@pytest.mark.parametrize(("subject", "case"), CASES, ids=name_of)
def test_keeps_the_contract_over_tls(subject, case):
    case.run(subject)
