"""The probes of ASGI: each turns where its feature is off, and tells real servers."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import time
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from workbench.ecosystem import probes_asgi, probes_lifespan, probes_websocket
from workbench.ecosystem.features import FAILED, FEATURES, ask
from workbench.ecosystem.looking import sized
from workbench.ecosystem.probes_websocket import _refused
from workbench.ecosystem.servers import SERVERS
from workbench.ecosystem.starting import leftovers, serving
from workbench.ecosystem.without import change_of, server_without

MODULES = ("probes_asgi", "probes_lifespan", "probes_websocket")
for module in MODULES:
    importlib.import_module(f"workbench.ecosystem.{module}")
ROWS = {each.name: each for each in FEATURES if each.run.__module__.rpartition(".")[2] in MODULES}
GOOD = dict.fromkeys(ROWS, True) | {"a file by its path": False}  # that is none of ours


@pytest.fixture(scope="module", autouse=True)
def nothing_stays():
    began = time.time()
    with ExitStack() as stack:
        runs.stack = stack
        yield
        runs.cache_clear()
    assert leftovers(began) == []


@functools.cache
def runs(name):
    """Return a server that runs for all tests of this file."""
    return runs.stack.enter_context(serving(SERVERS[name]))


@functools.cache
def of(name, server):
    return ask(ROWS[name], SERVERS[server], runs(server))


def test_there_are_the_rows_that_the_notebook_needs():
    assert len(ROWS) >= 35
    assert all(callable(change_of(name)) for name in ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_ours_has_it_and_where_it_is_off_the_finding_turns(name):
    has, hasnt = of(name, "ours"), ask(ROWS[name], server_without(name, SERVERS["ours"]))
    assert (has.problem, has.good) == ("", GOOD[name]), has
    assert FAILED not in (has.said, hasnt.said), hasnt
    assert (hasnt.problem, hasnt.good) == ("", not GOOD[name]), hasnt
    assert has.said != hasnt.said, (has, hasnt)
    for cell in (has, hasnt):
        assert 0 < len(cell.said) <= 24, cell.said
        assert cell.seen


# Not those that start a server of their own, or wait for four seconds: all that they see is shared.
SHARED = [name for name, row in ROWS.items() if "run.other" not in inspect.getsource(row.run)]


@pytest.mark.parametrize("name", [name for name in SHARED if name != "nobody listens"])
def test_the_loop_by_hand_says_the_same(name):
    assert of(name, "ours-loop").said == of(name, "ours").said


# ---------------------------------------------------------------- real servers, checked by hand

SAID = {
    "uvicorn": {
        "spec version told": "2.3 / 2.4 / 2.0", "root_path": "in path, even twice",
        "half-close": "cut, told at once", "send after disconnect": "returns",
        "a stream to nobody": "goes on in silence", "startup.failed": "exit 3, with reason",
        "permessage-deflate": "both ways", "early hints": "no: RuntimeError",
    },
    "hypercorn": {
        "root_path": "path without it", "half-close": "answered, told at once",
        "startup.failed": "exit 0, with reason", "client's close code": "told 1006",
        "denial response": "as it is sent", "send to a closed WebSocket": "returns",
    },
    "daphne": {
        "spec version told": "none / none / –", "lifespan": "no", "state": "none",
        "startup.failed": "serves nevertheless", "shutdown told": "–",
        "fields of a request": "grouped by name",
        "error after the start": "hangs, later errors too",
        "returns too early": "hangs; hangs", "largest message": "1 MiB, then cut",
        "fields of an accept": "dropped", "permessage-deflate": "declined",
        "fails before the accept": "500 / silence", "trailers": "no, and says nothing",
    },
    "gunicorn-asgi": {
        "spec version told": "2.4 / 2.4 / 2.4", "nobody listens": "cancelled after 3 s",
        "a download to nobody": "CancelledError after 3 s",
        "a file by its path": "no, and says nothing", "extensions of a WebSocket": "none",
        "send to a closed WebSocket": "OSError", "startup.failed": "exit 3, with reason",
    },
    "granian": {
        "client and server": "the port is a str", "a file by its path": "works",
        "denial response": "offered, sends 403", "ping beside a busy application": "no pong",
        "extensions of a request": "pathsend, denial", "fields of an accept": "dropped",
        "largest message": "16 MiB, then no code", "error before the start": "500, goes on",
    },
}  # fmt: skip


@pytest.mark.parametrize("server", SAID)
def test_a_real_server_is_found_as_it_is(server):
    said = {name: of(name, server).said for name in SAID[server]}
    assert said == SAID[server]


# ---------------------------------------------------------------- the eyes


def test_an_order_is_told_from_a_group_and_from_a_loss():
    sent = [("b", "1"), ("a", "2"), ("b", "3")]
    said = {
        "in their order": sent,
        "grouped by name": [("a", "2"), ("b", "1"), ("b", "3")],
        "in another order": [("b", "3"), ("a", "2"), ("b", "1")],
        "joined or lost": [("a", "2"), ("b", "1,3")],
    }
    assert {words: probes_asgi.order(sent, came).said for words, came in said.items()} == {
        words: words for words in said
    }


def test_what_is_offered_is_not_believed():
    cases = {
        (True, True): "works",
        (False, True): "works, not offered",
        (True, False): "offered, does nothing",
        (False, False): "no: KeyError",
    }
    for (offered, works), words in cases.items():
        assert probes_asgi.used(offered, works, "KeyError") == words
    assert probes_asgi.used(False, False, "") == "no, and says nothing"
    assert probes_asgi.used(False, False, "UnexpectedMessageError") == "no: an exception"


def test_an_exit_without_a_status_or_without_a_reason_is_no_good_one():
    found = probes_lifespan._exit(1, f"a line\nfailed: {probes_lifespan.REASON}\nbye")
    assert (found.said, found.good) == ("exit 1, with reason", True)
    assert found.seen.endswith(probes_lifespan.REASON)
    assert probes_lifespan._exit(0, probes_lifespan.REASON).good is False
    assert probes_lifespan._exit(3, "oops").said == "exit 3, without reason"


def test_a_reason_is_heard_also_of_a_server_that_goes_on_about_its_end():
    """And was gone before anybody had asked it: a busy machine sees Gunicorn so."""
    says = "\\n".join([probes_lifespan.REASON, *"abcdefgh"])
    dies = f"""{{python}} -c "print('{says}'); raise SystemExit(3)" {{port}} probe:app"""
    talker = dataclasses.replace(SERVERS["uvicorn"], ways={"plain": dies})
    run = SimpleNamespace(way="plain", other=lambda way, app: serving(talker, way, app))
    found = probes_lifespan.startup_failed(run)
    assert (found.said, found.good) == ("exit 3, with reason", True), found


def test_a_limit_is_found_to_the_byte(monkeypatch):
    run = runs("ours")
    run.begin()
    assert _refused(run, 1 << 24) == ""
    assert _refused(run, (1 << 24) + 1) == "1009"
    for limit, words in ((1 << 16, "64 KiB, then 1009"), (5000, "4992, then 1009")):
        monkeypatch.setattr(
            probes_websocket, "_refused", lambda _, size, at=limit: "1009" if size > at else ""
        )
        found = probes_websocket._largest(run)
        assert found.said == words
        assert sized(int(found.seen.split()[0])) == words.partition(",")[0]
