"""The contract of an ASGI server, on both shells with both engines, and on uvloop."""

from __future__ import annotations

import pytest
from contracts.async_shells import Ours, WsgiOnOurs

from workbench.contracts import cases
from workbench.contracts.asgi import cases_for
from workbench.contracts.server import cases_for as server_cases_for

SERVERS = [Ours(shell, engine) for shell in ("asyncio", "loop") for engine in ("http1", "h11")]
SERVERS.append(Ours("uvloop", "http1"))
WSGI = [WsgiOnOurs("asyncio", "http1"), WsgiOnOurs("loop", "http1")]
# What ASGI cannot carry: "the status argument becomes status, with the reason phrase dropped"
# (ASGI HTTP 2.5, WSGI Compatibility).
NO_REASON = ("status and reason", "Latin-1 reason")


def name_of(value):
    if isinstance(value, Ours | WsgiOnOurs):
        return f"{value.shell}-{value.engine}"
    return value.name.replace(" ", "_")


@pytest.mark.parametrize(
    ("server", "case"),
    [(server, case) for server in SERVERS for case in cases_for(server)],
    ids=name_of,
)
def test_keeps_the_contract(server, case):
    case.run(server)


@pytest.mark.parametrize(
    ("server", "case"),
    [
        pytest.param(
            server,
            case,
            marks=[pytest.mark.xfail(reason="ASGI has no reason phrase")]
            if case.name in NO_REASON
            else [],
        )
        for server in WSGI
        for case in server_cases_for(server)
    ],
    ids=name_of,
)
def test_wsgi_in_asgi_keeps_the_contract_of_wsgi(server, case):
    case.run(server)


def test_every_case_applies_to_our_servers():
    assert [case.name for case in cases_for(SERVERS[0])] == [case.name for case in cases("asgi")]


def test_cases_are_told_apart_and_cite_their_clause():
    names = [case.name for case in cases("asgi")]
    assert len(names) == len(set(names)) >= 90
    for case in cases("asgi"):
        assert case.sentence.endswith("."), case.name
        assert case.clause.startswith(("RFC ", "ASGI ", "Python, ")), case.name
        assert case.chapter in (9, 10, 12), case.name
