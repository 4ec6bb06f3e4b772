"""Every framework on every server that speaks its interface: really started, really spoken to."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import httpx
import pytest

from workbench.board.upstream import upstream
from workbench.contracts.asgi_websocket_client import Talk, handshake
from workbench.contracts.wire import Wire
from workbench.ecosystem import conversation
from workbench.ecosystem.boards.common import number
from workbench.ecosystem.conversation import STEPS, Speaking, speak
from workbench.ecosystem.pairs import (
    FRAMEWORKS,
    TALK,
    Conversation,
    Pair,
    converse,
    converse_all,
    count,
    is_called,
    lacking,
    pairs,
    thinkable,
)
from workbench.ecosystem.servers import SERVERS
from workbench.ecosystem.starting import leftovers, now, serving

PATIENCE = 10.0
APPS = str(Path(__file__).parent / "apps")
PAIRS = pairs()


@pytest.fixture(scope="module")
def upstream_url():
    with upstream() as url:
        yield url


def pair_of(server, framework):
    return Pair(SERVERS[server], FRAMEWORKS[framework])


def failed(steps):
    return [step.name for step in steps if step.good is False]


# --- the pairs --------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_a_pair_serves_the_board(pair, upstream_url, record_property):
    if pair.server.missing and not os.environ.get("CI"):
        pytest.skip(pair.server.missing)
    begun = now()
    found = converse(pair, upstream_url)
    assert found.good, str(found)
    assert [step.name for step in found.steps] == list(STEPS)
    only_told = {step.name for step in found.steps if step.good is None}
    no_websocket = set() if pair.framework.websocket else {"live"}
    no_chunks = {"chunked"} if pair.server.interface == "wsgi" else set()
    assert only_told == no_websocket | no_chunks
    assert leftovers(begun) == []
    record_property("pair", [pair.name, len(PAIRS)])


@pytest.mark.parametrize("name", ["ours-threads-django", "ours-django"])
def test_settings_of_another_project_do_not_decide_for_the_board(name, upstream_url, monkeypatch):
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "another.settings")
    pair = next(pair for pair in PAIRS if pair.name == name)
    assert converse(pair, upstream_url).good


def test_there_are_as_many_pairs_as_the_interfaces_allow():
    interfaces = [server.interface for server in SERVERS.values()]
    # Flask and Django by WSGI; Django, Starlette, Quart and FastAPI by ASGI; none of these without
    # asyncio, which the loop by hand has not.
    allowed = 2 * interfaces.count("wsgi") + 4 * (interfaces.count("asgi") - 1)
    assert len(PAIRS) == len({pair.name for pair in PAIRS}) == allowed
    assert len(thinkable()) == allowed + 4


def test_no_pair_of_the_ten_systems_is_missing():
    assert lacking(PAIRS) == []
    for system in TALK:
        assert any(is_called(system, pair.server.title) or is_called(system, pair.framework.title)
                   for pair in PAIRS)  # fmt: skip


@pytest.mark.parametrize(
    ("gone", "sentences"),
    [
        ("uWSGI", ["Flask on uWSGI by WSGI is missing", "Django on uWSGI by WSGI is missing"]),
        ("Daphne", [f"{name} on Daphne by ASGI is missing"
                    for name in ("Django", "Starlette", "Quart")]),
        ("Starlette", [f"Starlette on {name} by ASGI is missing"
                       for name in ("Gunicorn", "Hypercorn", "Daphne", "Uvicorn")]),
    ],
)  # fmt: skip
def test_a_missing_pair_is_named(gone, sentences):
    left = [pair for pair in PAIRS
            if not is_called(gone, pair.server.title) and pair.framework.title != gone]  # fmt: skip
    assert lacking(left) == sentences


def test_a_pair_by_the_other_interface_does_not_stand_in():
    left = [pair for pair in PAIRS if pair.name != "gunicorn-asgi-django"]
    assert lacking(left) == ["Django on Gunicorn by ASGI is missing"]


def test_nothing_else_is_called_like_that():
    assert not is_called("Gunicorn", "Gunicornish, sync")
    with pytest.raises(LookupError, match="nothing is called 'unicorn'"):
        pairs(["unicorn"])
    with pytest.raises(LookupError, match="nothing is called 'bottle'"):
        pairs(frameworks=["bottle"])


@pytest.mark.parametrize("pair", [p for p in thinkable() if p.why_not], ids=lambda pair: pair.name)
def test_what_needs_asyncio_does(pair, upstream_url):
    """It fails on the loop by hand, for the reason that is given: else it were a pair."""
    found = converse(pair, upstream_url)
    assert pair.why_not.startswith("needs asyncio: ")
    every_request = "runs every request" in pair.why_not
    judged = [step.name for step in found.steps if step.good is not None]
    assert failed(found.steps) == (judged if every_request else ["stream", "slow", "live"])


# --- what a conversation tells ----------------------------------------------------------------


@pytest.fixture(scope="module", params=[("ours-threads", "wsgi"), ("ours", "asgi")], ids="-".join)
def broken(request, upstream_url, tmp_path_factory):
    """Serve a board that can be broken; give a function that does so, and speaks to it."""
    name, app = request.param
    folder = tmp_path_factory.mktemp("broken")
    env = {"BOARD_FOLDER": str(folder), "BOARD_UPSTREAM": upstream_url, "PYTHONPATH": APPS}
    with serving(SERVERS[name], "plain", f"broken_boards:{app}", **env) as run:

        def speak_broken(word):
            (folder / "broken").write_text("", "ascii")
            host, port = run.live.address
            posts = httpx.get(f"http://{host}:{port}/posts", trust_env=False).json()
            (folder / "broken").write_text(word, "ascii")
            return speak(Speaking(run.live.address, app, app == "asgi", posts))

        speak_broken.interface = app
        yield speak_broken


BREAKS = {
    "wsgi": {
        "": [],
        "type": ["page"],
        "escape": ["form"],
        "elsewhere": ["form"],
        "created": ["form", "json", "refusal", "list"],
        "shorter": ["list"],
        "reordered": ["list"],
        "joined": ["stream"],
        "half": ["upload"],
        "slow": ["slow"],
        "found": ["unknown"],
    },
    "asgi": {
        "": [],
        "lost": ["upload", "chunked"],
        "deny": ["live"],
        "forgetful": ["live"],
        "crowd": ["live"],
    },
}


def test_a_broken_board_is_told(broken, monkeypatch):
    monkeypatch.setattr(conversation, "PAUSES", (0.05, 0.4))
    told = {word: failed(broken(word)) for word in BREAKS[broken.interface]}
    assert told == BREAKS[broken.interface]


def test_a_server_that_dies_is_told_in_a_line(upstream_url, tmp_path):
    (tmp_path / "broken").write_text("die", "ascii")
    pair = pair_of("ours-one", "flask")
    env = {"BOARD_FOLDER": str(tmp_path), "PYTHONPATH": APPS}
    begun = now()
    found = converse(pair, upstream_url, "broken_boards:wsgi", **env)
    names = list(STEPS)
    behind = [name for name in names[names.index("stream") :] if name not in ("chunked", "live")]
    assert failed(found.steps) == behind
    assert found.first == "stream: the connection ended before line 1 of the stream"
    assert (found.good, found.said) == (False, "5 of 9")
    assert found.step("slow").seen.startswith("came unreadable: ConnectError")
    assert leftovers(begun) == []


def test_a_server_that_says_nothing_is_left(upstream_url, tmp_path, monkeypatch):
    (tmp_path / "silent.py").write_text(
        "import time\ndef app(environ, start_response):\n    time.sleep(3)\n    return []\n"
    )
    monkeypatch.setattr(conversation, "PATIENCE", 0.1)
    monkeypatch.setattr(conversation, "LIMIT", 0.15)
    begun = now()
    pair = pair_of("ours-threads", "flask")
    found = converse(pair, upstream_url, "silent:app", PYTHONPATH=str(tmp_path))
    assert found.first.startswith("page: still waiting for")
    assert found.steps[-1].seen == "not said: the 0.15 s are over"
    assert leftovers(begun) == []


@pytest.mark.parametrize("server", ["gunicorn", "ours-threads", "waitress"])
def test_a_server_that_does_not_start_says_why(server, upstream_url):
    """Gunicorn listens before its workers look for the application: it starts, and ends at once."""
    begun = now()
    found = converse(pair_of(server, "flask"), upstream_url, "workbench.nowhere:app")
    assert (found.good, found.said, found.steps) == (False, "does not start", [])
    assert found.first.startswith(SERVERS[server].title)
    assert "ended" in found.first
    assert {"gunicorn": "Worker failed to boot"}.get(server, "workbench.nowhere") in found.first
    assert leftovers(begun) == []


def test_a_server_that_is_missing_says_how_to_get_it(upstream_url):
    server = dataclasses.replace(SERVERS["gunicorn"], packages=("no-such-package",))
    found = converse(Pair(server, FRAMEWORKS["flask"]), upstream_url)
    assert (found.good, found.said) == (False, "not installed")
    assert found.first == (
        "Gunicorn, sync: no-such-package is not installed: pip install no-such-package"
    )
    assert count([found, Conversation(pair_of("gunicorn", "flask"))]) == "1 of 2 pairs"


def test_several_at_a_time_come_in_order():
    wanted = pairs(["ours-one", "ours"], ["flask", "starlette"])
    found = list(converse_all(wanted, at_once=2))
    assert [each.pair.name for each in found] == ["ours-one-flask", "ours-starlette"]
    assert count(found) == "2 of 2 pairs"
    assert found[0].step("stream").seen == "each line came before the next was made"


# --- what the boards promise ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [(None, 5), ("", 5), ("7", 7), ("0", 0), ("-1", 5), ("many", 5), ("nan", 5), ("inf", 1000)],
)
def test_a_number_in_a_query_is_one_that_fits(text, wanted):
    assert number({} if text is None else {"n": text}, "n", 5, 1000) == wanted


@pytest.mark.parametrize("framework", ["starlette", "quart", "fastapi"])
def test_readers_who_left_are_not_counted(framework, upstream_url):
    """Each left in its own way: by the end of its connection, and in the middle of the feed."""
    board = FRAMEWORKS[framework].boards["asgi"]
    with serving(SERVERS["ours"], "plain", board, BOARD_UPSTREAM=upstream_url) as run:
        for _ in range(3):
            wire = Wire(run.live.address, PATIENCE)
            assert Talk(wire).begin(handshake("/live")).status == 101
            wire.reset()
        counted, end = 0, time.monotonic() + PATIENCE
        while counted != 1 and time.monotonic() < end:
            with Wire(run.live.address, PATIENCE) as wire:
                talk = Talk(wire)
                assert talk.begin(handshake("/live")).status == 101
                counted = conversation.told(talk)["readers"]
    assert counted == 1


@pytest.mark.parametrize("framework", ["flask", "django"])
def test_several_workers_share_the_posts(framework, upstream_url):
    found = converse(pair_of("gunicorn", framework), upstream_url, way="workers")
    assert found.good, str(found)


def test_quart_on_daphne_needs_the_scheme_that_we_add(upstream_url, tmp_path):
    """ASGI makes it optional, Daphne leaves it out, Quart reads it: else it could go."""
    (tmp_path / "bare.py").write_text(
        "from workbench.ecosystem.boards.quart_board import app, bare\napp.asgi_app = bare\n"
    )
    pair = pair_of("daphne", "quart")
    found = converse(pair, upstream_url, "bare:app", PYTHONPATH=str(tmp_path))
    assert failed(found.steps) == ["live"]
    assert "'scheme'" in found.log
