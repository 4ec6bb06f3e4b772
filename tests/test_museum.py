"""Every broken server of the museum is found by the check that is meant for it.

And our server as it is by none of them: that is the proof that the checks look, and at the bug.
"""

from __future__ import annotations

import contextlib
import re

import pytest
from hpack import Decoder

from workbench.clauses import citations
from workbench.contracts.http2_client import DATA, GOAWAY, HEADERS, PREFACE, RST_STREAM
from workbench.contracts.wire import Wire
from workbench.gauntlet import museum
from workbench.gauntlet.judge import judge
from workbench.gauntlet.model import checks_for

EXHIBITS = museum.exhibits()
GOOD, BAD = ("pass", "yes"), ("fail", "no")


def check_for(exhibit):
    target = museum.target_of(exhibit.server)
    offered = checks_for(target.interface, target.provides)
    return target, [check for check in offered if check.name == exhibit.check]


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda each: f"{each.number}-{each.name}")
def test_the_check_kills_the_exhibit(exhibit, record_property):
    target, checks = check_for(exhibit)
    with museum.infected(exhibit.change):
        (result,) = judge(target, checks=checks, jobs=1).results
    assert result.verdict in BAD
    assert result.problem
    record_property("exhibit", (exhibit.number, f"{exhibit.name}, killed by {exhibit.check!r}"))


@pytest.mark.parametrize("server", ["wsgi", "one", "asgi", "adapter"])
def test_no_check_kills_the_server_as_it_is(server):
    wanted = {exhibit.check for exhibit in EXHIBITS if exhibit.server == server}
    target = museum.target_of(server)
    checks = [each for each in checks_for(target.interface, target.provides)
              if each.name in wanted]  # fmt: skip
    assert len(checks) == len(wanted)
    report = judge(target, checks=checks)
    assert [(each.check.name, each.problem) for each in report.results
            if each.verdict not in GOOD] == []  # fmt: skip


def test_the_collection_is_as_large_as_it_should_be():
    assert len(EXHIBITS) >= 60
    assert len({each.name for each in EXHIBITS}) == len(EXHIBITS)
    assert [each.number for each in EXHIBITS] == list(range(1, len(EXHIBITS) + 1))


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda each: each.name)
def test_the_card_is_whole(exhibit):
    (check,) = check_for(exhibit)[1]
    assert check.clause == exhibit.clause
    assert citations(exhibit.clause) or exhibit.clause.startswith("ASGI")
    assert min(map(len, (exhibit.symptom, exhibit.seen, exhibit.change.__doc__))) > 5
    assert exhibit.symptom in exhibit.card()


def shows(exhibit, server):
    """Return what comes for the packet on the card, from a server of the exhibit's kind."""
    with Wire(server.address, 0.5) as wire:
        try:
            wire.send(exhibit.packet)
            if b"websocket" not in exhibit.packet:  # there a half-close is a goodbye
                with contextlib.suppress(OSError):  # it has closed already
                    wire.half_close()
            return wire.closed("a short look")
        except AssertionError:
            return bytes(wire.buf)


QUIET = {"no goodbye", "waiting for a life", "one idle client", "a frozen loop", "never closed",
         "a frozen Date", "one buffer for all", "joined blocks", "gathered", "bottomless",
         "talking to nobody", "failed and served", "one frame a packet", "the bomb goes off",
         "eight bytes for a length", "an empty message is none", "a window never opened",
         "rapid reset"}  # fmt: skip
"""Exhibits whose bug shows in time, in another client, or in what the application was told."""


@pytest.mark.parametrize(
    "exhibit", [each for each in EXHIBITS if each.name not in QUIET], ids=lambda each: each.name
)
def test_the_packet_on_the_card_shows_the_bug(exhibit):
    with museum.served(None, exhibit.server) as server:
        right = shows(exhibit, server)
    with museum.served(exhibit) as server:
        wrong = shows(exhibit, server)
    if exhibit.packet.startswith(PREFACE):
        assert frames(right) != frames(wrong)
    else:
        assert undated(right) != undated(wrong)


def frames(came):
    """Return the frames of HTTP/2 that came on streams, their fields decoded, without the date."""
    found, decoder = [], Decoder()
    while len(came) >= 9:
        end = 9 + int.from_bytes(came[:3])
        kind, flags, payload = came[3], came[4], came[9:end]
        if kind == HEADERS:
            payload = [pair for pair in decoder.decode(payload) if pair[0] != "date"]
        if kind in (HEADERS, DATA, RST_STREAM, GOAWAY):
            found.append((kind, flags, undated(payload) if kind == DATA else payload))
        came = came[end:]
    return found


def undated(came):
    """Return an answer without what differs from one moment, or one port, to the next."""
    lines = came.split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith((b"date:", b"content-length:"))]
    return re.sub(rb"\d{4,}", b"N", b"\r\n".join(kept))


def test_a_bug_is_gone_when_the_exhibit_is_closed():
    with museum.served(museum.exhibit(1)):
        pass
    with museum.served(None) as server:
        assert server.talk(museum.exhibit(1).packet).startswith(b"HTTP/1.1 200")


def test_an_exhibit_that_is_not_there():
    with pytest.raises(LookupError, match="there is no exhibit 0: they are numbered 1 to"):
        museum.exhibit(0)
