"""The loop by hand beside asyncio: the same scenario on both leaves the same log.

A scenario is a coroutine function of a ``Kit`` and of a list, its log; what must stand in the log
is written above it.  What only one of the two loops has is tested below, and so is where they
differ, with the reason.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from handmade import loop, loop_tasks, loop_time

PATIENCE = 10.0
SHORT = 0.02  # seconds: one timer's time
user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")


@dataclass(frozen=True)
class Kit:
    """What a scenario needs of a loop, by whoever made it."""

    run: Callable[[Any], Any]
    get_loop: Callable[[], Any]
    sleep: Callable[[float], Any]
    timeout: Callable[[float], Any]
    cancelled: type[BaseException]

    @property
    def loop(self) -> Any:
        return self.get_loop()

    def task(self, coroutine: Any, **how: Any) -> Any:
        return self.loop.create_task(coroutine, **how)

    async def turn(self) -> None:
        """Wait for the next round."""
        future = self.loop.create_future()
        self.loop.call_soon(loop_tasks.wake, future)
        await future

    async def outcome(self, awaitable: Any) -> Any:
        """Return how it ended, in one word or two."""
        try:
            return await awaitable
        except self.cancelled:
            return "cancelled"
        except Exception as error:
            return f"{type(error).__name__}: {error}".removesuffix(": ")


def run_by_hand(main: Any) -> Any:
    return loop.Loop().run(main)


KITS = {
    "hand": Kit(
        run_by_hand,
        loop.get_running_loop,
        loop_time.sleep,
        loop_time.timeout,
        loop_tasks.Cancelled,
    ),
    "asyncio": Kit(
        asyncio.run,
        asyncio.get_running_loop,
        asyncio.sleep,
        asyncio.timeout,
        asyncio.CancelledError,
    ),
}
HAND = KITS["hand"]
both = pytest.mark.parametrize("kit", KITS.values(), ids=KITS)
SCENARIOS: list[tuple[Any, list[Any]]] = []


def scenario(*wanted: Any) -> Callable[[Any], Any]:
    """Note a scenario and the log that it leaves."""

    def note(run: Any) -> Any:
        SCENARIOS.append((run, list(wanted)))
        return run

    return note


# ---------------------------------------------------------------- order


@scenario("main", "soon 1", "a 1", "b 1", "soon 2", "a 2", "b 2", "a is done", "main again")
async def order(kit, log):
    async def work(name):
        log.append(f"{name} 1")
        await kit.turn()
        log.append(f"{name} 2")
        return name

    log.append("main")
    kit.loop.call_soon(log.append, "soon 1")
    a, b = kit.task(work("a")), kit.task(work("b"))
    a.add_done_callback(lambda task: log.append(f"{task.result()} is done"))
    kit.loop.call_soon(log.append, "soon 2")
    await b
    log.append("main again")


@scenario("first", "second", "third", "fourth")
async def a_round_is_not_prolonged(kit, log):
    """What becomes due in a round has its turn in the next one, behind who was there before."""
    done = kit.loop.create_future()

    def first():
        log.append("first")
        kit.loop.call_soon(third)

    def third():
        log.append("third")
        kit.loop.call_soon(log.append, "fourth")
        kit.loop.call_soon(done.set_result, None)

    kit.loop.call_soon(first)
    kit.loop.call_soon(log.append, "second")
    await done


@scenario("value", "ValueError: on purpose", "done at once", "inner", "outer")
async def awaiting(kit, log):
    async def fails():
        raise ValueError("on purpose")

    async def inner():
        log.append("inner")

    async def outer():
        await inner()  # no task, so no turn for anybody else between
        log.append("outer")

    future = kit.loop.create_future()
    kit.loop.call_soon(future.set_result, "value")
    log.append(await future)
    log.append(await kit.outcome(kit.task(fails())))
    turns = []
    kit.loop.call_soon(turns.append, "a turn of somebody else")
    await future  # it is done: nobody waits
    log.append("done at once")
    await outer()
    assert turns == []


@scenario("a: 1", "b: 1", "main: 1", "None", "b: None", "ValueError: x", "b: ValueError: x")
async def many_wait_for_one(kit, log):
    async def wait(name, future):
        log.append(f"{name}: {await kit.outcome(future)}")

    future = kit.loop.create_future()
    tasks = [kit.task(wait(name, future)) for name in "ab"]
    kit.loop.call_later(0, future.set_result, 1)
    for task in tasks:
        await task
    log.append(f"main: {await future}")
    for end in (lambda f: f.set_result(None), lambda f: f.set_exception(ValueError("x"))):
        future = kit.loop.create_future()
        task = kit.task(wait("b", future))
        end(future)
        log.append(str(await kit.outcome(future)))
        await task


@scenario("InvalidState", "InvalidState", False, "result", "called", "called later")
async def a_future_has_one_result(kit, log):
    future = kit.loop.create_future()
    try:
        future.result()
    except Exception:
        log.append("InvalidState")
    future.add_done_callback(lambda future: log.append("called"))
    future.set_result("result")
    try:
        future.set_result("another")
    except Exception:
        log.append("InvalidState")
    log.append(future.cancel())
    log.append(future.result())
    await kit.turn()
    future.add_done_callback(lambda future: log.append("called later"))
    await kit.turn()


# ---------------------------------------------------------------- time


@scenario("0", "1a", "1b", "2", "end")
async def timers(kit, log):
    later, unit = kit.loop.call_later, SHORT / 2
    later(2 * unit, log.append, "2")
    later(unit, log.append, "1a")
    never = later(unit, log.append, "never")
    later(0, log.append, "0")
    now = kit.loop.time()
    later(unit, log.append, "1b")
    never.cancel()
    await kit.sleep(3 * unit)
    assert kit.loop.time() - now >= 3 * unit - 0.001
    log.append("end")


@scenario("short", "long", "cancelled", "end")
async def sleepers(kit, log):
    async def sleep(name, seconds):
        await kit.sleep(seconds)
        log.append(name)

    long, short = kit.task(sleep("long", 2 * SHORT)), kit.task(sleep("short", SHORT))
    never = kit.task(sleep("never", 100))
    await short
    await long
    never.cancel()
    log.append(await kit.outcome(never))
    log.append("end")


@scenario("in time", "TimeoutError", "cleaned", True, "and on")
async def a_timeout(kit, log):
    async with kit.timeout(PATIENCE):
        await kit.sleep(0.001)
        log.append("in time")
    began = kit.loop.time()
    try:
        async with kit.timeout(SHORT):
            try:
                await kit.sleep(PATIENCE)
            finally:
                await kit.turn()
                log.append("cleaned")
    except TimeoutError:
        log.insert(1, "TimeoutError")
    log.append(kit.loop.time() - began < PATIENCE / 2)
    await kit.turn()
    log.append("and on")


@scenario("inner", "outer goes on", "outer ends inner", "ValueError: mine", "cancelled")
async def nested_timeouts(kit, log):
    async with kit.timeout(PATIENCE):
        try:
            async with kit.timeout(SHORT):
                await kit.sleep(PATIENCE)
        except TimeoutError:
            log.append("inner")
        await kit.sleep(0.001)
        log.append("outer goes on")
    try:
        async with kit.timeout(SHORT):
            async with kit.timeout(PATIENCE):
                await kit.sleep(PATIENCE)
            log.append("not here")
    except TimeoutError:
        log.append("outer ends inner")

    async def fails():
        async with kit.timeout(PATIENCE):
            raise ValueError("mine")

    async def waits():
        async with kit.timeout(PATIENCE):
            await kit.sleep(PATIENCE)

    log.append(await kit.outcome(fails()))
    task = kit.task(waits())
    await kit.turn()
    task.cancel()  # who cancels from outside is told so, and not that it took too long
    log.append(await kit.outcome(task))


@scenario("survived", "after")
async def a_timeout_that_is_ignored(kit, log):
    """A block that takes the cancel for its own affair and ends well has not failed."""
    async with kit.timeout(SHORT):
        try:
            await kit.sleep(PATIENCE)
        except kit.cancelled:
            log.append("survived")
    await kit.sleep(0.001)
    log.append("after")


# ---------------------------------------------------------------- cancellation


@scenario("begins", "cleans", "cleaned", "cancelled", False)
async def cancel_while_it_waits(kit, log):
    async def work():
        log.append("begins")
        try:
            await kit.loop.create_future()
        finally:
            log.append("cleans")
            await kit.turn()  # it may still wait
            log.append("cleaned")

    task = kit.task(work())
    await kit.turn()
    task.cancel()
    log.append(await kit.outcome(task))
    log.append(task.cancel())


@scenario("cancelled", True)
async def cancel_before_it_begins(kit, log):
    async def work():
        log.append("never")

    task = kit.task(work())
    task.cancel()
    log.append(await kit.outcome(task))
    log.append(task.done())


@scenario("waits", "first", "second", "cancelled")
async def cancel_during_cleanup(kit, log):
    async def work():
        try:
            log.append("waits")
            await kit.loop.create_future()
        except kit.cancelled:
            log.append("first")
            try:
                await kit.loop.create_future()
            finally:
                log.append("second")

    task = kit.task(work())
    for _ in range(2):
        await kit.turn()
        task.cancel()
    log.append(await kit.outcome(task))


@scenario("refused", "result")
async def a_cancel_that_is_refused(kit, log):
    async def stubborn():
        try:
            await kit.loop.create_future()
        except kit.cancelled:
            log.append("refused")
        await kit.turn()
        return "result"

    task = kit.task(stubborn())
    await kit.turn()
    task.cancel()
    log.append(await kit.outcome(task))


@scenario("still here", "cancelled")
async def cancel_oneself(kit, log):
    async def work():
        tasks[0].cancel()
        log.append("still here")
        await kit.turn()
        log.append("not here")

    tasks = [kit.task(work())]
    log.append(await kit.outcome(tasks[0]))


@scenario("inner is cancelled", "outer: cancelled", "inner: cancelled")
async def cancel_goes_inward(kit, log):
    async def inner():
        try:
            await kit.loop.create_future()
        except kit.cancelled:
            log.append("inner is cancelled")
            raise

    async def outer():
        await tasks[0]

    tasks = [kit.task(inner())]
    tasks.append(kit.task(outer()))
    await kit.turn()
    await kit.turn()
    tasks[1].cancel()
    log.append(f"outer: {await kit.outcome(tasks[1])}")
    log.append(f"inner: {await kit.outcome(tasks[0])}")


@scenario("result", "cancelled")
async def cancel_between_result_and_turn(kit, log):
    """Who has a result but not had its turn yet is cancelled all the same."""

    async def work():
        log.append(await future)
        await kit.turn()
        log.append("not here")

    async def waits():
        await future
        log.append("not here either")

    future = kit.loop.create_future()
    first, second = kit.task(work()), kit.task(waits())
    await kit.turn()
    future.set_result("result")
    second.cancel()
    await kit.turn()
    first.cancel()
    await kit.outcome(first)
    log.append(await kit.outcome(second))


@scenario("an Exception does not stop it", "cancelled")
async def cancelled_is_no_exception(kit, log):
    async def careless():
        try:
            await kit.loop.create_future()
        except Exception:
            log.append("stopped")
        finally:
            log.append("an Exception does not stop it")

    task = kit.task(careless())
    await kit.turn()
    task.cancel()
    log.append(await kit.outcome(task))


# ---------------------------------------------------------------- contexts


@scenario("task: outer", "soon: outer", "own: nobody", "empty: nobody", "shared: inner", "outer")
async def contexts(kit, log):
    def say(name):
        log.append(f"{name}: {user.get()}")

    async def say_and_set(name):
        say(name)
        user.set("inner")
        await kit.turn()
        assert user.get() == "inner"

    user.set("outer")
    empty = contextvars.Context()
    await kit.task(say_and_set("task"))
    kit.loop.call_soon(say, "soon")
    await kit.turn()
    context = contextvars.Context()
    await kit.task(say_and_set("own"), context=context)
    kit.loop.call_soon(say, "empty", context=empty)
    kit.loop.call_soon(say, "shared", context=context)
    await kit.turn()
    log.append(user.get())


@scenario("timer: here", "reader: here", "done: here")
async def contexts_of_callbacks(kit, log):
    """A callback runs in the context of who asked for it."""

    def say(name, *_):
        log.append(f"{name}: {user.get()}")

    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        future = kit.loop.create_future()

        async def asks():
            user.set("here")
            kit.loop.call_later(0, say, "timer")
            theirs.send(b"x")
            await kit.sleep(SHORT)
            kit.loop.add_reader(ours.fileno(), say_once)
            future.add_done_callback(lambda future: say("done"))

        def say_once():
            kit.loop.remove_reader(ours.fileno())
            say("reader")
            future.set_result(None)

        await kit.task(asks(), context=contextvars.Context())
        await future
        await kit.turn()


# ---------------------------------------------------------------- sockets


@scenario("writes", "reads b'hello'", "writes", "the end b''", False)
async def readers_and_writers(kit, log):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for sock in (ours, theirs):
            sock.setblocking(False)
        steps = [kit.loop.create_future() for _ in range(3)]

        def write():
            log.append("writes")
            kit.loop.remove_writer(theirs.fileno())
            theirs.send(b"hello")

        def read():
            log.append(f"reads {ours.recv(100)!r}")
            kit.loop.add_writer(ours.fileno(), write_back)  # one socket, both ways

        def write_back():
            log.append("writes")
            kit.loop.remove_writer(ours.fileno())
            theirs.close()
            kit.loop.add_reader(ours.fileno(), end)  # in the place of the one before

        def end():
            log.append(f"the end {ours.recv(100)!r}")
            kit.loop.remove_reader(ours.fileno())
            steps[2].set_result(None)

        kit.loop.add_writer(theirs.fileno(), write)
        kit.loop.add_reader(ours.fileno(), read)
        await steps[2]
        log.append(bool(kit.loop.remove_reader(ours.fileno())))


@scenario("served 3 clients", True)
async def an_echo_server(kit, log):
    size = 3_000_000  # more than the network holds: everybody has to wait for everybody

    async def serve(sock):
        with sock:
            while data := await kit.loop.sock_recv(sock, 65536):
                await kit.loop.sock_sendall(sock, data)

    async def client(byte):
        sock = socket.create_connection(listener.getsockname())
        with sock:
            sock.setblocking(False)
            sender = kit.task(kit.loop.sock_sendall(sock, byte * size))
            came = b""
            while len(came) < size:
                came += await kit.loop.sock_recv(sock, 1 << 18)
            await sender
            return came == byte * size

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        clients = [kit.task(client(byte)) for byte in (b"a", b"b", b"c")]
        servers = []
        for _ in clients:
            sock, _ = await kit.loop.sock_accept(listener)
            servers.append(kit.task(serve(sock)))
        results = [await task for task in clients]
        for task in servers:
            await task
    log.append(f"served {len(results)} clients")
    log.append(all(results))


@scenario("cancelled", "b'for the next'")
async def a_receive_given_up(kit, log):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        task = kit.task(kit.loop.sock_recv(ours, 100))
        await kit.turn()
        task.cancel()
        log.append(await kit.outcome(task))
        theirs.send(b"for the next")
        log.append(repr(await kit.loop.sock_recv(ours, 100)))


# ---------------------------------------------------------------- threads


@scenario("another thread", "ValueError: there", "meanwhile", "the loop's")
async def an_executor(kit, log):
    here, held = threading.get_ident(), threading.Event()

    def thread_name():
        return "the loop's" if threading.get_ident() == here else "another thread"

    def fails():
        raise ValueError("there")

    def waits():
        assert held.wait(PATIENCE)

    log.append(await kit.loop.run_in_executor(None, thread_name))
    log.append(await kit.outcome(kit.loop.run_in_executor(None, fails)))
    future = kit.loop.run_in_executor(None, waits)
    await kit.turn()
    log.append("meanwhile")  # the loop goes on
    held.set()
    await future
    log.append(thread_name())


@scenario(100, True, "in order")
async def calls_from_threads(kit, log):
    came = []
    future = kit.loop.create_future()

    def hear(name, number):
        came.append((name, number))
        if len(came) == 100:
            future.set_result(threading.get_ident())

    def call(running, name):
        for number in range(25):
            running.call_soon_threadsafe(hear, name, number)

    threads = [threading.Thread(target=call, args=(kit.loop, name)) for name in "abcd"]
    for thread in threads:
        thread.start()
    where = await future  # nothing else wakes this loop
    for thread in threads:
        thread.join()
    log.append(len(came))
    log.append(where == threading.get_ident())
    each = [[number for name, number in came if name == one] for one in "abcd"]
    log.append("in order" if each == [list(range(25))] * 4 else each)


# ---------------------------------------------------------------- the end


@scenario("begins", "cleans", "ends")
async def left_over(kit, log):
    """A task that still runs at the end is cancelled, and may clean up."""

    async def work():
        log.append("begins")
        try:
            await kit.loop.create_future()
        finally:
            log.append("cleans")
            await kit.turn()
            log.append("ends")

    log.task = kit.task(work())  # held, for asyncio's loop would not
    await kit.turn()


@scenario("a: cancelled")
async def left_over_that_wait_for_each_other(kit, log):
    async def a():
        try:
            await kit.loop.create_future()
        finally:
            log.append(f"a: {await kit.outcome(tasks[1])}")

    async def b():
        await kit.loop.create_future()

    tasks = log.task = [kit.task(a()), kit.task(b())]
    await kit.turn()


class Log(list):
    """A list that can hold on to a task."""

    task: Any = None


def run(kit, one):
    log = Log()
    kit.run(asyncio_safe(kit, one(kit, log)))
    return log


async def asyncio_safe(kit, coroutine):
    """Run a scenario; a hang ends in a failure."""
    async with kit.timeout(PATIENCE):
        await coroutine


@both
@pytest.mark.parametrize(("one", "wanted"), SCENARIOS, ids=[one.__name__ for one, _ in SCENARIOS])
def test_the_same_log_on_both(kit, one, wanted):
    assert run(kit, one) == wanted


def test_the_scenarios_are_many():
    assert len(SCENARIOS) >= 25


# ---------------------------------------------------------------- how a run ends


@both
def test_run_returns_what_the_coroutine_returns(kit):
    async def main():
        await kit.turn()
        return 42

    assert kit.run(main()) == 42


@both
def test_run_raises_what_the_coroutine_raises_and_still_cleans_up(kit):
    log = []

    async def work():
        try:
            await kit.loop.create_future()
        finally:
            log.append("cleaned")

    async def main():
        task = kit.task(work())
        await kit.turn()
        raise ValueError(f"on purpose, {task.done()}")

    with pytest.raises(ValueError, match="on purpose, False"):
        kit.run(main())
    assert log == ["cleaned"]


@both
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_ends_the_loop(kit, kind):
    """Ctrl-C comes where the thread happens to be; the coroutines still get to clean up."""
    log = []

    async def work():
        await kit.turn()
        raise kind

    async def main():
        task = kit.task(work())
        try:
            await kit.loop.create_future()
        finally:
            log.append("cleaned")
        return task

    with pytest.raises(kind):
        kit.run(main())
    assert log == ["cleaned"]


@both
def test_a_task_may_fail_with_what_is_no_exception(kit):
    class Odd(BaseException):
        pass

    async def work():
        raise Odd

    async def main():
        task = kit.task(work())
        try:
            await task
        except Odd:
            return "told"

    assert kit.run(main()) == "told"


@both
def test_after_the_end_there_is_no_running_loop(kit):
    async def main():
        return kit.get_loop()

    assert kit.run(main()) is not None
    with pytest.raises(RuntimeError):
        kit.get_loop()


def test_a_loop_by_hand_leaves_no_socket_open():
    """Each run gives back its selector and its pipe (pytest turns a leak into a failure)."""
    before = len(open_files())
    for _ in range(3):
        run_by_hand(loop_time.sleep(0))
    assert len(open_files()) == before


def open_files():
    from pathlib import Path

    folder = Path("/proc/self/fd")
    return list(folder.iterdir()) if folder.exists() else []


def test_two_loops_in_two_threads_are_apart():
    loops = []

    async def main():
        loops.append(loop.get_running_loop())
        await loop_time.sleep(0.001)
        assert loop.get_running_loop() is loops[-1] or len(loops) > 1

    threads = [threading.Thread(target=run_by_hand, args=(main(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(set(map(id, loops))) == 2


# ---------------------------------------------------------------- what fails


def test_a_callback_that_fails_is_logged_and_hurts_nobody(caplog):
    log = []

    def fails():
        raise ValueError("on purpose")

    async def main():
        running = loop.get_running_loop()
        running.call_soon(fails)
        running.call_soon(log.append, "next")
        running.call_later(0, fails)
        await loop_time.sleep(SHORT)

    with caplog.at_level(logging.ERROR, "handmade"):
        run_by_hand(main())
    assert log == ["next"]
    assert [record.message for record in caplog.records] == [
        "a callback of the event loop failed"
    ] * 2
    assert "ValueError: on purpose" in caplog.text


class Foreign:
    """Something to await that neither loop knows."""

    def __await__(self):
        yield "a message to another loop"


@both
def test_a_foreign_awaitable_fails_where_it_is_awaited(kit):
    async def main():
        try:
            await Foreign()
        except RuntimeError as error:
            await kit.turn()  # and the task goes on
            return str(error)

    assert re.search("str: it is another loop's|bad yield: 'a message", kit.run(main()))


def test_an_asyncio_future_is_foreign_to_the_loop_by_hand():
    asyncio_loop = asyncio.new_event_loop()
    try:

        async def main():
            await asyncio_loop.create_future()

        with pytest.raises(RuntimeError, match=r"cannot wait for _asyncio\.Future: it is another"):
            run_by_hand(main())
    finally:
        asyncio_loop.close()


def test_a_future_of_another_loop_by_hand_is_foreign_too():
    async def other():
        return loop.get_running_loop().create_future()

    future = run_by_hand(other())

    async def main():
        await future

    with pytest.raises(RuntimeError, match="it is another loop's"):
        run_by_hand(main())


def test_asyncio_does_not_find_its_loop_on_the_loop_by_hand():
    """This is why Quart and Django cannot run there."""

    async def main():
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        with pytest.raises(RuntimeError, match="no running event loop"):
            await asyncio.sleep(1)

    run_by_hand(main())


# ---------------------------------------------------------------- where they differ


def test_difference_a_timeout_during_the_cleanup_of_a_cancel():
    """asyncio counts cancels, and so knows that the first one was not the timeout's.  Ours cannot
    tell: who is cancelled from outside, and cleans up for longer than its timeout, ends with
    TimeoutError."""

    def scene(kit):
        async def work():
            async with kit.timeout(SHORT):
                try:
                    await kit.loop.create_future()
                finally:
                    await kit.outcome(kit.sleep(SHORT * 3))

        async def main():
            task = kit.task(work())
            await kit.turn()
            task.cancel()
            return await kit.outcome(task)

        return kit.run(main())

    assert scene(KITS["asyncio"]) == "cancelled"
    assert scene(HAND).startswith("TimeoutError")


def test_difference_a_reader_that_is_removed_in_its_own_round():
    """asyncio takes back a call that is already due; ours may still make it, once."""

    def scene(kit):
        calls = []

        async def main():
            pairs = [socket.socketpair() for _ in range(2)]

            def first_of_two(number):
                calls.append(number)
                for pair in pairs:
                    kit.loop.remove_reader(pair[0].fileno())

            for number, (ours, theirs) in enumerate(pairs):
                ours.setblocking(False)
                theirs.send(b"x")
                kit.loop.add_reader(ours.fileno(), first_of_two, number)
            await kit.sleep(SHORT)
            for ours, theirs in pairs:
                ours.close()
                theirs.close()

        kit.run(main())
        return len(calls)

    assert scene(KITS["asyncio"]) == 1
    assert scene(HAND) == 2


def test_difference_a_failed_task_that_nobody_awaits(caplog):
    """asyncio says so when it finds the task in the rubbish; ours keeps silent."""

    def scene(kit):
        async def fails():
            raise ValueError("unheard")

        async def main():
            kit.task(fails())
            await kit.sleep(0.001)

        caplog.clear()
        kit.run(main())
        gc.collect()
        return "unheard" in caplog.text

    assert scene(KITS["asyncio"])
    assert not scene(HAND)


def test_many_timers_and_cancelled_ones_do_not_pile_up():
    """A cancelled timer is forgotten at the latest when its time comes."""

    async def main():
        running = loop.get_running_loop()
        for _ in range(1000):
            running.call_later(0.001, list).cancel()
        await loop_time.sleep(SHORT)
        return len(running._timers)

    assert run_by_hand(main()) == 0


def test_an_idle_loop_sleeps():
    """Whoever waits, waits in one select: no processor time goes by."""

    async def main():
        used = time.thread_time()
        await loop_time.sleep(0.2)
        return time.thread_time() - used

    assert run_by_hand(main()) < 0.1


def test_wake_ups_from_a_thread_are_not_lost_when_there_are_very_many():
    """The pipe may be full: one byte in it is enough."""

    async def main():
        running, done = loop.get_running_loop(), loop.get_running_loop().create_future()

        def call():
            for _ in range(50_000):
                running._waker.wake()
            running.call_soon_threadsafe(loop_tasks.wake, done)

        thread = threading.Thread(target=call)
        thread.start()
        async with loop_time.timeout(PATIENCE):
            await done
        thread.join()

    run_by_hand(main())
