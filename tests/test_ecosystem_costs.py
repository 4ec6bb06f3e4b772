"""What a request costs: the arithmetic, the yardstick, rows that fail, and the hop to a thread."""

from __future__ import annotations

import dataclasses

import pytest

from workbench.ecosystem.adapters import ROWS, hops, statuses, statuses_of, thread_hops
from workbench.ecosystem.cost import BARE, CpuCosts, Sample, cpu_costs, interleaved, measured
from workbench.ecosystem.servers import SERVERS, RealServer
from workbench.load import LoadResult, Record

QUICK = {"rounds": 1, "seconds": 0.15}


def result(answers, client=0.2, status=200):
    return LoadResult([Record(0, 0, 0, 0, 0, 0.1, status)] * answers, 1.0, 4, client, 0.5, 0.5)


def costs_of(**rows):
    """Rows of (CPU seconds, answers) in two rounds each."""
    found = CpuCosts({name: name.title() for name in rows}, ("small head",))
    for name, rounds in rows.items():
        found.samples[name, "small head"] = [Sample(cpu, n, result(n)) for cpu, n in rounds]
    return found


# ---------------------------------------------------------------- the arithmetic


def test_a_ratio_is_of_all_rounds_together():
    costs = costs_of(bare=[(0.1, 10_000), (0.1, 10_000)], other=[(0.2, 2_000), (0.4, 4_000)])
    assert costs.micros("bare", "small head") == pytest.approx(10)
    assert costs.ratio("other") == pytest.approx(10)
    assert costs.ratio("bare", other="other") == pytest.approx(0.1)
    assert costs.client("other", "small head") == 0.2


def test_the_picture_says_the_same_three_times():
    costs = costs_of(bare=[(0.1, 10_000)], other=[(0.25, 10_000)], lame=[(1, 1)])
    costs.problems["lame"] = "it fell"
    picture = costs.picture("What it takes")
    assert "2.5 ×" in picture.text
    assert "it fell" in picture.text
    assert "Other 2.5 (small head)" in picture.alt
    assert picture._repr_png_().startswith(b"\x89PNG")
    assert costs.rows == ["bare", "other"]


def test_a_wrong_answer_is_not_measured():
    with pytest.raises(RuntimeError, match="500"):
        measured(1, lambda seconds: result(3, status=500), 0.1)
    with pytest.raises(RuntimeError, match="no answers"):
        measured(1, lambda seconds: result(0), 0.1)


def test_a_row_that_fails_leaves_the_others():
    def fails(seconds):
        raise RuntimeError("it is\ngone")

    costs = CpuCosts({"a": "A", "b": "B"}, ("small head",))
    nobody = 1 << 30  # no process has this number
    drives = {
        ("a", "small head"): (nobody, fails),
        ("b", "small head"): (nobody, lambda s: result(5)),
    }
    interleaved(costs, drives, 1, 0.1)
    assert costs.problems["a"] == "it is gone"
    assert costs.problems["b"] == "no CPU time was seen"  # a drive that drives nobody


# ---------------------------------------------------------------- servers


def test_servers_are_measured_and_those_that_cannot_be_are_told():
    rows = [
        SERVERS["ours"],
        RealServer("gone", "Gone", "asgi", {"plain": "x"}, ("no-such-distribution",)),
        RealServer("ends", "Ends", "asgi", {"plain": '{python} -c "raise SystemExit(3)"'}),
        dataclasses.replace(BARE, name="wrong", title="Wrong",
                            ways={"plain": '{python} -m http.server {port} --bind 127.0.0.1'}),
    ]  # fmt: skip
    costs = cpu_costs(rows, {"small head": {}}, **QUICK)
    assert 1.2 < costs.ratio("ours") < 12
    assert costs.micros("bare", "small head") > 1
    assert "not installed" in costs.problems["gone"]
    assert "ended with 3" in costs.problems["ends"]
    assert "answered with" in costs.problems["wrong"]
    assert repr(costs).splitlines()[0].endswith("bare asyncio.Protocol")
    assert costs.titles["ours"] == "ours, asyncio"  # its loop is told once


def test_the_loop_is_asked_of_the_server():
    quick = dataclasses.replace(SERVERS["uvicorn"], title="Quick")
    option = {"plain": f"{quick.ways['plain']} --loop asyncio"}
    rows = [quick, dataclasses.replace(quick, name="plainer", title="Plainer", ways=option)]
    costs = cpu_costs(rows, {"small head": {}}, **QUICK)
    assert list(costs.titles.values())[1:] == ["Quick, uvloop", "Plainer, asyncio"]


def test_a_wsgi_server_is_measured_alike():
    costs = cpu_costs([SERVERS["waitress"]], {"small head": {}}, **QUICK)
    assert costs.ratio("waitress") > 2


# ---------------------------------------------------------------- threads


def test_every_adapter_answers_and_a_thread_costs_more_than_none():
    costs = thread_hops(rounds=2, seconds=0.2)
    assert costs.rows == list(ROWS), costs.problems
    found = hops(costs)
    assert set(found) == {"Starlette", "Quart", "Django", "WSGI, ours", "WSGI, asgiref"}
    assert costs.ratio("/starlette/def", other="/starlette/async") > 1.3
    assert costs.ratio("/wsgi/ours") > 1.3
    assert found["Starlette"] > 0


def test_a_context_that_leaks_breaks_asgirefs_adapter_and_ours_does_not_leak():
    for _ in range(10):  # who is first there, the next request or the end of the last one?
        found = statuses_of(["ours", "uvicorn", "uvicorn --reset-contextvars"])
        assert found["ours"] == found["uvicorn --reset-contextvars"] == [200] * 20
        if found["uvicorn"][-1] == 500:  # it closes behind that
            break
    assert found["uvicorn"][-1] == 500
    assert set(statuses(SERVERS["uvicorn"], path="/wsgi/ours")) == {200}
