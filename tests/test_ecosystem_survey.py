"""What chapter 14 stands on: the survey in the background, the decision, the stream to nobody."""

import os
import time

import pytest

from workbench.contracts.wire import request
from workbench.ecosystem import probing, streaming, survey
from workbench.ecosystem.deciding import Choice, growth, memory_bars
from workbench.ecosystem.features import FAILED, NOT_ASKED, Cell
from workbench.ecosystem.pairs import pairs
from workbench.ecosystem.servers import SERVERS
from workbench.ecosystem.starting import below
from workbench.ecosystem.survey import Survey, bytes_of, each_of
from workbench.ecosystem.table import Column, FeatureTable, Row
from workbench.ecosystem.without import server_without

ROWS = "one", "two"
CELLS = [
    Cell("a", "one", "yes", good=True), Cell("a", "two", "waits: +0.0 MiB", good=True),
    Cell("b", "one", "no", good=False), Cell("b", "two", "takes all: +64.0 MiB", good=True),
    Cell("c", "one", FAILED, good=True), Cell("c", "two", NOT_ASKED, good=None),
]  # fmt: skip


def table() -> FeatureTable:
    """Return a table of three servers: all good, half good, and one that could not be asked."""
    return FeatureTable(
        "asgi", [Column(name, name.upper(), "") for name in "abc"],
        [Row(name, "asgi", "?", "", False) for name in ROWS],
        {(each.server, each.feature): each for each in CELLS},
    )  # fmt: skip


# ------------------------------------------------------------------ the decision


def test_a_branch_leads_to_those_with_a_plus_in_every_row_and_to_nobody_else():
    choice = Choice(table(), {"first": ["one"], "second": ["two"], "both": ["one", "two"]})
    assert choice.fits("first") == ["a"]  # b says no, and c could not be asked
    assert choice.fits("second") == ["a", "b"]
    assert choice.fits("both") == choice.fits("first", "second") == ["a"]
    assert choice.fits() == ["a", "b", "c"]
    assert choice.why_not("c", "both") == {"one": FAILED, "two": NOT_ASKED}
    assert choice.why_not("a", "both") == {}


def test_the_drawing_says_what_fits_says_in_all_its_forms():
    choice = Choice(table().but("a"), {"first": ["one"], "second": ["two"]})
    shown = choice.picture(["first"])
    lines = shown.text.splitlines()
    assert lines[0] == "● first"
    assert lines[1].endswith("─▶ nobody")
    assert lines[2] == "○ second"
    assert lines[3].endswith("─▶ b")
    assert lines[4] == "all that is marked ● ─▶ nobody"
    assert "first, by one: nobody; second, by two: b." in shown.alt
    assert shown._repr_png_().startswith(b"\x89PNG")


def test_the_cheapest_stands_first_where_prices_are_known():
    choice = Choice(table(), {"second": ["two"]})
    price = {"a": 2.0, "b": 1.0}.__getitem__
    assert choice.picture(price=price).text.endswith("─▶ b, a")


def test_what_is_not_in_the_table_is_no_need():
    with pytest.raises(LookupError, match="three"):
        Choice(table(), {"more": ["three"]})
    with pytest.raises(ValueError, match="rests on no row"):
        Choice(table(), {"nothing": []})
    with pytest.raises(LookupError, match="another"):
        Choice(table(), {"first": ["one"]}).picture(["another"])


def test_memory_is_drawn_from_the_cells():
    assert [growth(each) for each in CELLS[1:4:2]] == [0.0, 64.0]
    shown = memory_bars(table(), {"two": "HTTP/1.1"}, "Memory")
    assert "64.0 MiB  ################################" in shown.text
    assert "no HTTP/1.1" in shown.text
    assert "C: HTTP/1.1 none" in shown.alt
    assert shown._repr_png_().startswith(b"\x89PNG")


# ------------------------------------------------------------------ the survey


def test_a_survey_gives_pairs_and_rows_as_they_come():
    asked = Survey(["ours"], ["keep-alive", "raw_path"], pairs(["ours"], ["starlette"]))
    try:
        assert asked.pairs().count == "1 of 1 pairs"
        rows = asked.rows("raw_path")
        assert [each.name for each in rows.features] == ["raw_path"]
        assert rows["raw_path", "ours"].said == "as it came"
        assert asked.rows()["keep-alive", "ours"].good
        with pytest.raises(LookupError, match="pipelining"):
            asked.rows("pipelining")
    finally:
        asked.close()
    assert asked.rows()["keep-alive", "ours"].good  # what has come stays


def test_a_survey_that_is_closed_leaves_nothing_behind_and_says_so():
    before = {each.pid for each in below(os.getpid())}
    asked = Survey(["ours", "hypercorn"], ["nobody listens", "raw_path"])
    asked.close()
    assert not asked._thread.is_alive()
    assert {each.pid for each in below(os.getpid())} <= before
    with pytest.raises(RuntimeError, match="closed"):
        asked.rows("nobody listens")


def test_what_breaks_the_survey_reaches_whoever_waits(monkeypatch):
    def breaks(*args):
        raise OSError("no more files")

    monkeypatch.setattr(survey, "probing", breaks)
    asked = Survey(["ours"], ["raw_path"])
    with pytest.raises(RuntimeError, match="raw_path cannot be had: no more files"):
        asked.rows("raw_path")
    asked.close()


def test_what_could_not_be_found_out_is_asked_once_more_and_then_told(monkeypatch):
    asked = []

    def poor(servers, features, bounds, heard=lambda cell, done, of: None):
        found = probing.Probed([])
        for server in servers:
            for each in features:
                asked.append((server.name, each.name, bounds.lanes))
                lost = each.name == "HEAD" or (each.name == "raw_path" and bounds.lanes > 1)
                cell = Cell(server.name, each.name, FAILED if lost else "yes", good=not lost)
                found.cells.append(cell)
                heard(cell, 1, 1)
        return found

    monkeypatch.setattr(survey, "probing", poor)
    run = Survey(["ours"], ["keep-alive", "raw_path", "HEAD"])
    rows = run.rows()
    run.close()
    assert [rows[name, "ours"].said for name in ("keep-alive", "raw_path")] == ["yes", "yes"]
    assert rows["HEAD", "ours"].said == FAILED
    assert asked[3:] == [("ours", "raw_path", 1), ("ours", "HEAD", 1)]


def test_a_survey_of_nobody_is_refused_at_once():
    with pytest.raises(LookupError, match="nginx"):
        Survey(["nginx"], ["raw_path"])
    with pytest.raises(LookupError, match="raw_pth"):
        Survey(["ours"], ["raw_pth"])


# ------------------------------------------------------------------ looks


def test_bytes_are_read_to_the_end_to_a_mark_and_to_a_silence():
    ends = bytes_of(request("/ok", "Connection: close"))
    stays = bytes_of(request("/ok"), seconds=0.3)
    mark = bytes_of(request("/ok"), until=b"\r\n\r\n", seconds=30.0)
    began = time.monotonic()
    seen = each_of(["ours"], lambda run: [look(run) for look in (ends, stays, mark)])["ours"]
    assert time.monotonic() - began < 20
    assert all(each.startswith(b"HTTP/1.1 200 OK\r\n") for each in seen)
    assert seen[0].endswith(b"ok")
    assert seen[1].endswith(b"ok")


def test_starlette_streams_on_where_a_promised_oserror_does_not_come(monkeypatch):
    silent = server_without("send after disconnect", SERVERS["ours"])
    monkeypatch.setitem(SERVERS, "silent", silent)
    app = f"{streaming.__name__}:app"
    made = each_of(["ours", "silent"], streaming.made_for_nobody, app=app)
    assert made["ours"] < 20 < made["silent"]
