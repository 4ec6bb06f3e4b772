"""The contract of an ASGI server, over HTTP/2.

An application is told the same by HTTP/2 as by HTTP/1.1, and what it sends means the same.  So the
cases that ask HTTP/1.1 run once more, through a relay that translates.  What only HTTP/1.1 has is
left out, each with the reason; what only HTTP/2 has is asked by ``test_http2.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from contracts import async_shells
from contracts.http2_relay import Plain
from contracts.relay import Relay

from handmade.http2_stream import Stream
from handmade.protocol_http2_wire import Http2Wire
from workbench.contracts import Broken, asgi, cases, find

LEFT_OUT = {
    "the version of HTTP": "it is another one",
    "no trailers in HTTP/1.0": "it is another one",
    "no hints in HTTP/1.0": "it is another one",
    "no 100 that nobody waits for": "part of it asks HTTP/1.0",
    "the websocket scope": "it has the version of HTTP",
    "both addresses": "a relay hides the client's",
    "empty messages count": "a relay takes what our server does not",
    "not an upgrade": "the relay would have to decide it",
    "bad handshakes": "an extended CONNECT has no key",
    "a whole URL": "a target has no other form than :path",
    "a broken chunk": "there are no chunks",
    "no trailers unasked": "any other TE than trailers is malformed",
    "the application closes": "no stream can close the connection",
    "a graceful stop": "GOAWAY says it, and no field",
    "no 100 when it is not received": "what is not read ends its stream, not the connection",
    "an unread body that is not": "what is not read ends its stream, not the connection",
    "error in an upload": "what is not read ends its stream, not the connection",
}

ABOVE_THE_WIRE = {"asgi_scope", "asgi_mistakes", "asgi_lifespan"}
"""Modules of cases whose outcome no shell can change: asked over one."""


class AsgiOverHttp2(async_shells.Ours):
    """An asynchronous shell behind the relay (subject of the contract ``asgi``)."""

    @contextmanager
    def serve(self, app: Any, **how: Any) -> Iterator[tuple[str, int]]:
        with Relay(Plain) as relay, super().serve(app, **how) as relay.address:
            yield relay.place


SHELLS = [AsgiOverHttp2(shell, "http1") for shell in ("asyncio", "loop")]


def name_of(value: Any) -> str:
    return value.shell if hasattr(value, "shell") else value.name.replace(" ", "_")


CASES = [
    (server, case)
    for server in SHELLS
    for case in asgi.cases_for(server)
    if case.name not in LEFT_OUT
    and (server.shell == "asyncio" or case.run.__module__.rpartition(".")[2] not in ABOVE_THE_WIRE)
]


@pytest.mark.parametrize(("server", "case"), CASES, ids=name_of)
def test_keeps_the_contract_over_http2(server, case):
    case.run(server)


def test_what_is_left_out_is_there():
    assert set(LEFT_OUT) <= {case.name for case in cases("asgi")}
    assert {case.run.__module__.rpartition(".")[2] for _, case in CASES} > ABOVE_THE_WIRE


def sends_later(monkeypatch):
    """``send`` returns before anything has left.

    An application that holds the loop holds it, and one that fails in the same turn takes it along.
    """
    monkeypatch.setattr(Http2Wire, "flush_now", Http2Wire.flush_soon)


def waits_for_the_rest(monkeypatch):
    """A request is waited for whose client will send no more."""
    monkeypatch.setattr(Stream, "ended", property(lambda self: True, lambda self, value: None))


@pytest.mark.parametrize(
    ("mutant", "name", "why"),
    [
        (sends_later, "half answered", "ended before the empty line that ends the head"),
        (sends_later, "a stream to nobody", "still waiting for|ended before the first part"),
        (waits_for_the_rest, "a body that breaks off", "still waiting for the server to close"),
    ],
)
def test_a_case_finds_the_mutant(mutant, name, why, monkeypatch):
    impatient = replace(async_shells.PATIENT, half_closed=2)
    server = AsgiOverHttp2("asyncio", "http1", patience=0.7, timeouts=impatient)
    mutant(monkeypatch)
    with pytest.raises(Broken, match=why):
        find("asgi", name).run(server)
