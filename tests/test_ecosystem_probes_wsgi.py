"""The probes of HTTP and WSGI: each turns where its feature is off, and tells real servers."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import time
from contextlib import ExitStack

import pytest

from workbench.ecosystem import probes_http, without_wsgi
from workbench.ecosystem.features import FAILED, FEATURES, Finding, ask
from workbench.ecosystem.looking import largest, sized
from workbench.ecosystem.servers import SERVERS
from workbench.ecosystem.starting import leftovers, serving
from workbench.ecosystem.without import CHANGES, server_without

MODULES = ("probes_http", "probes_wsgi")
for module in MODULES:
    importlib.import_module(f"workbench.ecosystem.{module}")
ROWS = {
    each.name: each for each in FEATURES if each.run.__module__.rpartition(".")[2] in MODULES
}
HTTP = [name for name, each in ROWS.items() if each.interface == "http"]
# No better and no worse: for how long a silent connection is kept.
GOOD = {name: True for name in ROWS} | {"idle connection": None, "stalled head": None}
SERVERS_OF_OURS = ("ours-threads", "ours-processes", "ours")


@pytest.fixture(scope="module", autouse=True)
def nothing_stays():
    began = time.time()
    with ExitStack() as stack:
        stack.callback(lambda: UP.clear())
        runs.stack = stack
        yield
    assert leftovers(began) == []


UP = {}


@pytest.fixture(autouse=True)
def a_short_watch(monkeypatch):
    monkeypatch.setattr(probes_http, "WATCHED", 1.0)


def runs(name, way):
    """Return a server that runs for all tests of this file."""
    if (name, way) not in UP:
        UP[name, way] = runs.stack.enter_context(serving(SERVERS[name], way))
    return UP[name, way]


@functools.cache
def of(name, server):
    feature, way = ROWS[name], ROWS[name].way
    return ask(feature, SERVERS[server], runs(server, way) if way in SERVERS[server].ways else None)


def without_it(name, server):
    return ask(ROWS[name], server_without(name, SERVERS[server]))


def turned(has, hasnt, good):
    """Demand that a finding is whole, and differs from the other one."""
    assert (has.problem, has.good) == ("", good), has
    assert FAILED not in (has.said, hasnt.said), (has, hasnt)
    assert has.said != hasnt.said, (has, hasnt)
    if good is not None:
        assert hasnt.good is not good, hasnt
    for cell in (has, hasnt):
        assert 0 < len(cell.said) <= 26, cell.said
        assert cell.seen


def test_there_are_the_rows_that_the_notebook_needs():
    assert len(ROWS) >= 26
    assert set(ROWS) <= set(CHANGES)
    assert {CHANGES[name].__module__ for name in ROWS} <= {
        without_wsgi.__name__, "workbench.gauntlet.museum.wsgi_exhibits",
    }  # fmt: skip


NEEDS_OTHERS = ("wsgi.multiprocess", "process tree", "crash of a worker")
RELOAD = "graceful reload"


@pytest.mark.parametrize("name", [name for name in ROWS if name != RELOAD])
def test_ours_has_it_and_where_it_is_off_the_finding_turns(name):
    server = "ours-processes" if name in NEEDS_OTHERS else "ours-threads"
    turned(of(name, server), without_it(name, server), GOOD[name])


@pytest.mark.parametrize("name", HTTP)
def test_it_turns_over_asgi_too(name):
    turned(of(name, "ours"), without_it(name, "ours"), GOOD[name])
