"""What chapter 06 looks with: servers side by side, a line for each, and who answered when."""

import os
from dataclasses import replace

import pytest

from workbench.contracts.wire import request
from workbench.ecosystem import apache
from workbench.ecosystem.features import Cell, features_of
from workbench.ecosystem.renewal import Asked, Renewal, crashed, reloaded, renewals
from workbench.ecosystem.servers import SERVERS
from workbench.ecosystem.side_by_side import (
    Across,
    beside,
    differences,
    from_system,
    grid,
    probed,
    told_and_true,
    tree,
    until_closed,
    whole,
)
from workbench.ecosystem.table import Column, Row

pytestmark = pytest.mark.skipif(os.name != "posix", reason="these servers fork")
OURS = ("ours-one", "ours-threads")


def table(*features: str, **said: tuple[str, ...]) -> Across:
    rows = [Row.of(each) for each in features_of("wsgi", features)]
    names = {name.replace("_", "-"): words for name, words in said.items()}
    cells = {(name, feature): Cell(name, feature, word, good=True)
             for name, words in names.items()
             for feature, word in zip(features, words, strict=True)}  # fmt: skip
    return Across("wsgi", [Column.of(SERVERS[name]) for name in names], rows, cells)


def test_every_line_begins_with_its_server_and_results_keep_theirs():
    found = beside(lambda run: f"{run.server.name}\nagain", OURS)
    assert dict(found) == {name: f"{name}\nagain" for name in OURS}
    assert [line.split() for line in repr(found).split("\n")] == [
        [name, word] for name in OURS for word in (name, "again")
    ]


def test_a_server_that_is_missing_has_one_line_and_no_result(monkeypatch):
    monkeypatch.setattr(apache, "program", lambda: None)
    found = beside(lambda run: "there", ("ours-threads", "mod_wsgi"))
    assert dict(found) == {"ours-threads": "there"}
    assert (
        repr(found).split("\n")[1].startswith("mod_wsgi      mod_wsgi: Apache is not installed (")
    )


def test_what_an_experiment_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        beside(lambda run: 1 / 0, ("ours-threads",))


@pytest.mark.parametrize("words", [("x", "y"), ("much wider than all others are", "y")])
def test_lines_of_others_do_not_depend_on_the_one_from_the_system(monkeypatch, words):
    rows = {"gunicorn": ("+ yes", "- no"), "mod_wsgi": words}
    before = grid(("one", "two"), rows).split("\n")
    monkeypatch.setattr(apache, "program", lambda: None)
    after = grid(("one", "two"), rows).split("\n")
    assert before[:2] == after[:2] == ["server      one    two", "gunicorn  + yes  - no"]
    assert before[2] != after[2]
    assert [name for name in SERVERS if from_system(name)] == ["mod_wsgi"]


def test_one_table_of_several_and_where_its_columns_differ():
    first = table("keep-alive", gunicorn=("no",), uwsgi=("no",))
    second = table("HEAD", "at one time", gunicorn=("alone", "1"), uwsgi=("content", "2"))
    both = whole(second, first)
    assert [row.name for row in both.features] == ["keep-alive", "at one time", "HEAD"]
    assert differences(both) == {("gunicorn", "uwsgi"): ["HEAD"]}  # what is measured is no question


def test_probes_are_asked_and_printed():
    found = probed("keep-alive", servers=OURS)
    assert found.said("keep-alive") == dict.fromkeys(OURS, "yes")
    assert repr(found).split("\n")[1:] == ["ours-one      + yes", "ours-threads  + yes"]


def test_bytes_until_the_end():
    found = beside(lambda run: until_closed(run, request("/ok", "Connection: close")), OURS)
    assert all(each.endswith(b"\r\n\r\nok") for each in found.values())


def test_processes_are_drawn_and_held_against_what_is_told():
    drawn = beside(tree, ("ours-threads",), way="workers")["ours-threads"]
    worker = "└─ runs the application"
    assert drawn.split("\n") == ["does not run it", worker, worker]
    alone = beside(tree, ("ours-threads",))["ours-threads"]
    assert alone == "runs the application"
    told = beside(told_and_true, ("ours-one",))["ours-one"]
    assert told.split("\n")[0].startswith("multithread False  at one time in a process:  1")


def test_a_third_worker_is_found_too(monkeypatch):
    gunicorn = SERVERS["gunicorn"]
    three = {"workers": f"{gunicorn.ways['plain']} --workers 3"}
    monkeypatch.setitem(SERVERS, "gunicorn", replace(gunicorn, ways=three))
    drawn = beside(tree, ("gunicorn",), way="workers")["gunicorn"]
    assert drawn.split("\n") == ["does not run it", *["└─ runs the application"] * 3]
    told = beside(told_and_true, ("gunicorn",), way="workers")["gunicorn"]
    assert told.endswith("processes that serve: 3, of 4")


def test_a_crash_and_a_reload_are_seen():
    seen = beside(crashed, ("ours-threads",), way="workers")["ours-threads"]
    assert seen.alive
    assert seen.own == "its client: closed; "
    assert len(seen.before) == 2
    assert len(seen.new) >= 1
    seen = beside(reloaded, ("gunicorn", "ours-threads"), way="workers")
    assert seen["ours-threads"] == "has no signal for it"
    assert seen["gunicorn"].new
    assert set(seen["gunicorn"].pids) >= seen["gunicorn"].new


def test_losses_and_gaps_are_counted_and_drawn():
    asked = [Asked(0.1, 7, "200", False), Asked(0.2, 0, "closed", True), Asked(0.9, 8, "200", True)]
    seen = Renewal(asked, 0.15, {7})
    assert (seen.pids, seen.new, len(seen.lost), seen.gap) == ([7, 8], {8}, 1, pytest.approx(0.8))
    words = "1 of 3 lost (closed, kept); a new one answers after 0.8 s"
    assert repr(seen) == f"{words}; at most 0.80 s without an answer"
    picture = renewals({"gunicorn": seen}, "a title")
    assert picture.alt.endswith("gunicorn: 1 of 3 lost, 1 old and 1 new processes.")
    assert picture._repr_png_().startswith(b"\x89PNG")
    assert repr(Renewal(asked[:2], 0.15, {7}, alive=False)) == (
        "1 of 2 lost (closed, kept); nobody new; at most 0.00 s without an answer; "
        "the server has ended"
    )
