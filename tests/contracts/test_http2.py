"""The contract of HTTP/2, on both shells and on uvloop."""

from __future__ import annotations

import pytest
from contracts.http2_shells import Http2Ours

from workbench.contracts import cases
from workbench.contracts.http2 import cases_for

SERVERS = [Http2Ours(shell) for shell in ("asyncio", "loop", "uvloop")]


def name_of(value):
    return value.shell if isinstance(value, Http2Ours) else value.name.replace(" ", "_")


@pytest.mark.parametrize(
    ("server", "case"),
    [(server, case) for server in SERVERS for case in cases_for(server)],
    ids=name_of,
)
def test_keeps_the_contract(server, case):
    case.run(server)


def test_every_case_applies_to_our_servers():
    assert [case.name for case in cases_for(SERVERS[0])] == [case.name for case in cases("http2")]


def test_cases_are_told_apart_and_cite_their_clause():
    names = [case.name for case in cases("http2")]
    assert len(names) == len(set(names)) >= 60
    for case in cases("http2"):
        assert case.sentence.endswith("."), case.name
        assert case.clause.startswith(("RFC ", "ASGI ", "CVE-", "VU#")), case.name
        assert case.chapter == 13, case.name
