"""The contracts of both kinds of servers, over TLS.

TLS stands between the transport and the wire, once for the asynchronous shells (``TlsTransport``)
and once for the blocking ones (``TlsSocket``); a shell has no line for it.  So one shell of each
kind is held to its whole contract.  The others differ from it in how they read, write, wait and
close: they are held to all cases in which bytes come or go in pieces, late, at the same time or not
at all.  They are not asked again what stands in a scope or an environ, which messages and which
fields an application may send, or what becomes of a lifespan: that is settled above the wire, by
code that has no shell and that ``test_asgi.py`` and ``test_server.py`` run over every one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from contracts import async_shells, shells
from contracts.relay import Relay
from contracts.tls_relay import Plain
from tls_clients import tls

from workbench.contracts import asgi, server

# They ask for the scheme http, or for addresses that a relay hides: test_tls.py asks for ours.
LEFT_OUT = {
    "both addresses", "no root path", "the websocket scope", "environ is fresh",
    "SERVER_NAME and SERVER_PORT", "wsgi.url_scheme",
    "empty messages count",  # a relay takes what our server does not
}  # fmt: skip


ABOVE_THE_WIRE = {
    "asgi_scope", "asgi_mistakes", "asgi_lifespan", "server_environ", "server_start",
}  # fmt: skip
"""Modules of cases whose outcome no shell can change."""

WHOLE = {"asyncio", "threads"}


class AsgiOverTls(async_shells.Ours):
    """An asynchronous shell behind the relay (subject of the contract ``asgi``)."""

    @contextmanager
    def serve(self, app: Any, **how: Any) -> Iterator[tuple[str, int]]:
        with Relay(Plain) as relay, super().serve(app, **how, tls=tls()) as relay.address:
            yield relay.place


class WsgiOverTls(shells.Ours):
    """A blocking shell behind the relay (subject of the contract ``server``)."""

    @contextmanager
    def serve(self, app: Any, **how: Any) -> Iterator[tuple[str, int]]:
        with Relay(Plain) as relay, super().serve(app, **how, tls=tls()) as relay.address:
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
    and (subject.shell in WHOLE or case.run.__module__.rpartition(".")[2] not in ABOVE_THE_WIRE)
]


def name_of(value: Any) -> str:
    return value.shell if hasattr(value, "shell") else value.name.replace(" ", "_")


def test_what_is_left_out_is_asked_elsewhere():
    """A module of this name has to exist, and its cases run over one shell of its kind."""
    asked = {case.run.__module__.rpartition(".")[2] for _, case in CASES}
    assert asked > ABOVE_THE_WIRE
    assert {subject.shell for subject, _ in CASES} == {*async_shells.SHELLS, *shells.SHELLS}


@pytest.mark.parametrize(("subject", "case"), CASES, ids=name_of)
def test_keeps_the_contract_over_tls(subject, case):
    case.run(subject)
