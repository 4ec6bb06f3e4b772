"""The probes of HTTP and WSGI: each turns where its feature is off, and tells real servers."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import os
import signal
import time
from contextlib import ExitStack

import pytest

from workbench.ecosystem import probes_http, without_wsgi
from workbench.ecosystem.features import FAILED, FEATURES, ask
from workbench.ecosystem.looking import largest, sized
from workbench.ecosystem.servers import SERVERS
from workbench.ecosystem.starting import leftovers, serving
from workbench.ecosystem.without import CHANGES, server_without

MODULES = ("probes_http", "probes_wsgi")
for module in MODULES:
    importlib.import_module(f"workbench.ecosystem.{module}")
ROWS = {each.name: each for each in FEATURES if each.run.__module__.rpartition(".")[2] in MODULES}
HTTP = [name for name, each in ROWS.items() if each.interface == "http"]
# No better and no worse: for how long a silent connection is kept, what is asked for unread.
NEUTRAL = "idle connection", "stalled head", "Expect, unread"
GOOD = dict.fromkeys(ROWS, True) | dict.fromkeys(NEUTRAL)


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
    monkeypatch.setattr(probes_http, "WATCHED", 2.0)


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
        assert 0 < len(cell.said) <= 24, cell.said
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
def test_ours_has_it_over_asgi_too(name):
    cell = of(name, "ours")
    assert (cell.problem, cell.good) == ("", GOOD[name]), cell


@pytest.mark.parametrize(
    "name",
    ["at one time", "slow clients", "chunked input", "upload", "streaming out", "100-continue",
     "Expect, unread", "graceful stop"],
)  # fmt: skip
def test_it_turns_over_asgi_too(name):
    turned(of(name, "ours"), without_it(name, "ours"), GOOD[name])


# ---------------------------------------------------------------- reloads, which ours has not


def reloading(name):
    ours = dataclasses.replace(SERVERS["ours-processes"], reload="SIGHUP")
    return ask(ROWS[RELOAD], server_without(name, ours))


def test_a_reload_by_the_right_signal_loses_nothing_and_by_force_it_does():
    assert (of(RELOAD, "ours-processes").said, of(RELOAD, "ours-threads").good) == (
        "no signal for it", False,
    )  # fmt: skip
    good = reloading(RELOAD)
    assert good.good is True, good
    assert good.said.startswith("0 of ")
    assert int(good.said.split()[2]) > 40
    # Whoever has just had an answer is not cut off: that it hits somebody may take a few.
    by_force = [reloading(f"{RELOAD}, by force")]
    while by_force[-1].good and len(by_force) < 5:
        by_force.append(reloading(f"{RELOAD}, by force"))
    bad = by_force[-1]
    assert bad.good is False, bad
    assert 0 < int(bad.said.split()[0]) < int(bad.said.split()[2])


# ---------------------------------------------------------------- real servers, checked by hand

SAID = {
    "gunicorn": {
        "keep-alive": "no", "slow clients": "one holds up all", "100-continue": "at once",
        "Expect, unread": "100, then 200", "longest request line": "4094, then 414",
        "file_wrapper": "by descriptor", "wsgi.multithread": "False: 1 at one time",
    },
    "uwsgi": {
        "keep-alive": "no, and does not say so", "chunked input": "arrives empty",
        "streaming out": "at once, until close", "100-continue": "never",
        "wsgi.input_terminated": "absent", "process tree": "2 serve, 1 beside",
    },
    "waitress": {
        "HEAD": "with the content", "upload": "when all is there", "at one time": "4",
        "process tree": "no workers", "graceful stop": "cut off: closed",
    },
    "wsgiref": {
        "chunked input": "the application hangs", "read() ends": "hangs", "HEAD": "with the content"
    },
    "uvicorn": {"no length, HTTP/1.0": "chunked", "keep-alive, HTTP/1.0": "no"},
    "daphne": {"HEAD": "content if streamed", "upload": "when all is there"},
}  # fmt: skip


@pytest.mark.parametrize("server", SAID)
def test_a_real_server_is_found_as_it_is(server):
    said = {name: ask_shared(name, server) for name in SAID[server]}
    assert said == SAID[server]


def ask_shared(name, server):
    cell = of(name, server)
    return cell.said if not cell.problem else cell.problem


# ---------------------------------------------------------------- what goes wrong is a cell


def test_a_server_that_has_died_is_a_cell_and_no_error():
    with serving(SERVERS["ours-threads"]) as run:
        os.kill(run.pid, signal.SIGKILL)
        assert run.live.ended_within(3.0)
        cells = [ask(each, run.server, run) for each in ROWS.values() if each.way == "plain"]
    told = {cell.feature: cell.said for cell in cells if cell.said != FAILED}
    # Nobody came in; and for the stop a server of its own is started.
    assert told.pop("at one time") == "0"
    assert told.pop("graceful stop").startswith("finished")
    assert told == {}
    assert all(cell.problem for cell in cells if cell.said == FAILED)


def test_a_server_that_is_not_there_is_a_cell_too():
    absent = dataclasses.replace(SERVERS["waitress"], packages=("no-such-server",))
    cell = ask(ROWS["keep-alive"], absent)
    assert (cell.said, cell.problem) == (
        FAILED, "waitress: no-such-server is not installed: pip install no-such-server",
    )  # fmt: skip


def test_a_limit_is_found_to_the_byte_below_64_kib_and_nearly_above():
    def lengths(size):
        return b"GET /ok HTTP/1.1\r\nHost: a\r\nX: " + b"a" * size + b"\r\n\r\n"

    run = runs("ours-threads", "plain")
    overhead = len(lengths(0))
    run.begin()
    assert largest(run, lengths, 1000, 1 << 20) == (65536 - overhead, "431")
    assert largest(run, lengths, 1000, 2000) == (2000, "")
    assert [sized(size) for size in (8190, 65536, 1 << 20)] == ["8190", "64 KiB", "1 MiB"]
