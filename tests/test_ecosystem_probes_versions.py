"""The probes of versions and ends: each turns where its feature is off, and tells real servers."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import socket
import time

import pytest

from workbench.ecosystem import probes_versions
from workbench.ecosystem.features import FAILED, FEATURES, ask
from workbench.ecosystem.servers import SERVERS
from workbench.ecosystem.starting import leftovers
from workbench.ecosystem.without import changes, server_without

MODULES = ("probes_asgi_ends", "probes_versions")
for module in MODULES:
    importlib.import_module(f"workbench.ecosystem.{module}")
ROWS = {
    each.name: each
    for each in FEATURES
    if each.interface == "asgi" and each.run.__module__.rpartition(".")[2] in MODULES
}
# Ours has neither HTTP/3 nor a reload; the long request has no better or worse.
GOOD = dict.fromkeys(ROWS, True) | {
    "HTTP/3": False,
    "graceful reload": False,
    "stop with a request that goes on": None,
}


@functools.cache
def of_ours(name):
    return ask(ROWS[name], SERVERS["ours"])


def test_there_are_the_rows_that_the_notebook_needs():
    assert len(ROWS) >= 16
    assert set(ROWS) <= set(changes())


@pytest.mark.parametrize("name", ROWS)
def test_ours_has_it_and_where_it_is_off_the_finding_turns(name):
    has = of_ours(name)
    assert (has.problem, has.good) == ("", GOOD[name]), has
    ours = dataclasses.replace(SERVERS["ours"], reload="SIGHUP")  # for the change that has one
    hasnt = ask(ROWS[name], server_without(name, ours))
    assert FAILED not in (has.said, hasnt.said), hasnt
    words = [each.said.partition(":")[0] for each in (has, hasnt)]  # behind it stands a number
    assert words[0] != words[1], (has, hasnt)
    if GOOD[name] is not None:
        assert hasnt.good is (not GOOD[name]), hasnt
    for cell in (has, hasnt):
        assert 0 < len(cell.said) <= 24, cell.said
        assert cell.seen


@pytest.mark.parametrize(
    "name", [name for name in ROWS if ROWS[name].way != "workers" and not name.startswith("stop")]
)
def test_the_loop_by_hand_says_the_same(name):
    words = [cell.said.partition(":")[0] for cell in (of_ours(name), of_loop(name))]
    assert words[0] == words[1]


@functools.cache
def of_loop(name):
    return ask(ROWS[name], SERVERS["ours-loop"])


# ---------------------------------------------------------------- real servers


def test_a_server_of_http1_alone_is_told_as_such():
    uvicorn = SERVERS["uvicorn"]
    assert ask(ROWS["HTTP/2 without TLS"], uvicorn).said == "no"
    assert ask(ROWS["HTTP/2 over TLS"], uvicorn).said == "no ALPN: HTTP/1.1"
    assert ask(ROWS["streams at once"], uvicorn).said == "no HTTP/2"
    assert ask(ROWS["versions told"], uvicorn).said == "1.0, 1.1"


SAID = {
    "uvicorn-http2": {"a GET that reads, HTTP/2": ("no message comes", False),
                      "early hints over HTTP/2": ("works", True)},
    "hypercorn": {"a GET that reads, HTTP/2": ("answered", True),
                  "early hints over HTTP/2": ("works", True),
                  "trailers over HTTP/2": ("yes, to whom says TE", True),
                  "stop with a WebSocket": ("1011, ends after 3 s", False)},
    "daphne": {"HTTP/1.1 on the same port": ("yes, over TLS", True)},
    "gunicorn-asgi": {"HTTP/1.1 on the same port": ("yes, without TLS", True),
                      "early hints over HTTP/2": ("no, and says nothing", False),
                      "trailers over HTTP/2": ("yes, even unasked", True)},
}  # fmt: skip


@pytest.mark.parametrize("server", SAID)
def test_a_real_server_is_found_as_it_is(server):
    cells = {name: ask(ROWS[name], SERVERS[server]) for name in SAID[server]}
    assert {name: (cell.said, cell.good) for name, cell in cells.items()} == SAID[server]


def test_the_option_that_makes_a_server_wait_stands_in_the_evidence():
    cell = ask(ROWS["stop with a WebSocket"], SERVERS["gunicorn-asgi"])
    assert cell.said == "no close, ends after 4 s"
    assert "started with --graceful-timeout 4" in cell.seen


def test_http3_is_found_where_it_is_announced():
    cell = ask(ROWS["HTTP/3"], SERVERS["hypercorn"])
    assert (cell.said, cell.good) == ("yes, by Alt-Svc", True), cell
    assert "http_version b'3'" in cell.seen


def test_backpressure_that_is_lacking_costs_what_was_sent():
    cell = ask(ROWS["backpressure out"], SERVERS["daphne"])
    assert (cell.said.partition(":")[0], cell.good) == ("takes all", False), cell
    assert float(cell.said.split()[2]) > 40


# ---------------------------------------------------------------- the eyes


@pytest.fixture
def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


def test_a_udp_port_without_quic_is_told(udp, monkeypatch):
    monkeypatch.setattr(probes_versions, "QUIC", 0.1)
    address = udp.getsockname()
    assert probes_versions.quic_versions(address) == "silence"
    packet, _client = udp.recvfrom(2000)
    assert len(packet) == 1200
    assert packet[1:5].hex() == "1a2a3a4a"
    udp.close()
    assert probes_versions.quic_versions(address) == "nobody listens"


def test_nothing_is_left_behind():
    began = time.time()
    ask(ROWS["HTTP/2 over TLS"], SERVERS["ours"])
    assert leftovers(began) == []
