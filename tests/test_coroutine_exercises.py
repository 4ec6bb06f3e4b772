"""Does a learner's coroutine, or a learner's own loop, end in a clear message within seconds?"""

from __future__ import annotations

import asyncio
import selectors
import socket
import threading
import time

import pytest

from workbench.contracts import Broken
from workbench.exercises import Exercise, Point, coroutines, runner
from workbench.exercises.model import Slip


def problem_of(run, seconds=0.5):
    """Return what a learner reads of one point, and see that nothing is left behind."""
    toy = Exercise(
        "toy", 8, "A toy", 1, "subject", (Point("it runs", run),), ("a", "b", "c"), "", seconds
    )
    before, began = set(threading.enumerate()), time.monotonic()
    (result,) = runner.grade_object(toy, None).results
    assert time.monotonic() - began < 5
    left = set(threading.enumerate()) - before  # another test's may still be on its way out
    assert not any(thread.name == "exercise" for thread in left)
    assert result.state == runner.FAILED
    return result.problem


def plain(scope):
    return None


def generator(scope):
    yield scope


async def stream(scope):
    yield scope


class Callable:
    async def __call__(self, scope):
        return scope


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (plain, "app is a plain function: `async def app(...)` is wanted"),
        (generator, "app is a generator function"),
        (stream, "app has a yield in it"),
        (3, "app is not a function but int"),
    ],
)
def test_what_is_no_coroutine_function_is_named(thing, words):
    with pytest.raises(Broken, match=words.replace("(", r"\(").replace(")", r"\)")[:30]):
        coroutines.kind(thing, "app")


def test_a_forgotten_await_is_the_cause_of_what_is_broken_behind_it():
    async def app():
        pass

    def broken(forgets):
        with coroutines.none_forgotten():
            if forgets:
                app()
            raise Broken("the server answered 500")

    with pytest.raises(Slip, match="coroutine 'app' was never awaited"):
        broken(forgets=True)
    with pytest.raises(Broken, match="the server answered 500"):
        broken(forgets=False)


def test_steps_are_counted():
    async def app():
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return "done"

    async def main():
        steps = coroutines.Steps(app())
        return await steps, steps.count

    assert asyncio.run(main()) == ("done", 3)


def test_what_is_one_passes():
    for thing in (asyncio.sleep, Callable()):
        assert coroutines.kind(thing, "app") is thing


def test_a_plain_function_where_something_awaitable_is_wanted():
    async def run(subject):
        await coroutines.within(0.2, plain(None), "app")

    assert problem_of(run).startswith("app gave None, which nobody can await")


def test_an_await_that_never_ends_is_named_with_its_line():
    async def app():
        await asyncio.Event().wait()

    async def run(subject):
        await coroutines.within(0.1, app(), "the end of app")

    problem = problem_of(run)
    assert problem.startswith("still waiting for the end of app after 0.1 s, at line")
    assert problem.endswith("in app: await asyncio.Event().wait()")


def test_an_await_that_never_ends_without_any_help():
    async def run(subject):
        await asyncio.Event().wait()

    assert "still waiting after 0.5 s, at line" in problem_of(run)


def test_a_coroutine_that_never_awaits():
    async def run(subject):
        while True:
            pass

    assert problem_of(run).endswith("in run: while True:")


def test_a_coroutine_that_refuses_to_be_cancelled():
    async def app():
        while True:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                await asyncio.sleep(0.3)

    async def run(subject):
        await coroutines.within(0.1, app(), "app")

    assert "waiting" in problem_of(run)


def test_who_holds_the_loop_is_named():
    async def run(subject):
        async with coroutines.prompt(0.05):
            await asyncio.sleep(0.02)
            time.sleep(0.2)
            await asyncio.sleep(0.02)

    problem = problem_of(run)
    assert "the loop stood still for more than 0.05 s" in problem
    assert problem.endswith("in run: time.sleep(0.2)")


def test_who_only_waits_holds_nobody():
    async def calm():
        async with coroutines.prompt(0.3):
            await asyncio.sleep(0.1)

    asyncio.run(calm())


def test_a_forgotten_coroutine_is_named():
    async def clean_up():
        pass

    with (
        pytest.raises(Broken, match=r"clean_up' was never awaited: a call of an `async def` alone"),
        coroutines.none_forgotten(),
    ):
        clean_up()


# --- Loops by hand ----------------------------------------------------------------------------


def test_a_loop_by_hand_that_waits_for_ever_is_ended():
    sock, other = socket.socketpair()
    selector = selectors.DefaultSelector()
    selector.register(sock.fileno(), selectors.EVENT_READ)

    def run(subject):
        while True:
            selector.select()

    with sock, other, selector:
        problem = problem_of(run)
    assert "still waiting after 0.5 s, at line" in problem
    assert problem.endswith("in run: selector.select()")


def test_a_watched_selector_says_that_nothing_can_wake_it():
    with pytest.raises(Broken, match="the loop waits for ever"):
        coroutines.Watched(selectors.DefaultSelector()).select()


def test_a_watched_selector_says_that_the_loop_is_busy():
    selector = coroutines.Watched(selectors.DefaultSelector())
    for _ in range(coroutines.MOST_ROUNDS):
        selector.select(0)
    with pytest.raises(Broken, match="burns a processor"):
        selector.select(0)


def test_a_watched_selector_lets_a_loop_wait():
    sock, other = socket.socketpair()
    selector = coroutines.Watched(selectors.DefaultSelector())
    with sock, other, selector:
        selector.register(sock, selectors.EVENT_READ, "data")
        assert selector.select(0.01) == []
        assert selector.slept > 0.005
        other.send(b"x")
        assert [key.data for key, _ in selector.select()] == ["data"]
        selector.unregister(sock)
