"""The exercises of chapter 07: where WSGI stops."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from typing import Any

from workbench.contracts import Broken
from workbench.contracts.probes import TEXT, Closing, Moment, ok, raw
from workbench.contracts.wire import Answer, Wire, request
from workbench.exercises.model import Exercise, Hangs, Point, Slip
from workbench.exercises.serving import places, told_by_the_log
from workbench.exercises.talking import same
from workbench.running import fixed, running

PATIENCE = 1.2  # seconds for one answer
CROWDED = 100  # requests by each of six threads
LONG = 2.5  # seconds: longer than any answer may take
SSE = "WHATWG HTML, Server-sent events"

# --- sse-format -------------------------------------------------------------------------------


def as_a_browser_reads(stream: bytes) -> list[tuple[str, str, str]]:
    """Return the events of a stream, as (name, last id, data), by the rules of the standard."""
    text = stream.decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    events = []
    name, last = "message", ""
    data: list[str] = []
    for line in text.split("\n")[:-1]:  # what no line break ends is dropped
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                events.append((name, last, "\n".join(data)))
            name, data = "message", []
        elif field == "event":
            name = value
        elif field == "id":
            last = value
        elif field == "data":
            data.append(value)
    return events


def reads(wanted: tuple[str, str, str], *arguments: Any) -> Callable[[Any], None]:
    """Return a point: a browser reads this event."""

    def run(event: Any) -> None:
        came = event(*arguments)
        if not isinstance(came, bytes):
            raise Broken(f"event() returns bytes; yours returned {type(came).__name__}")
        found = as_a_browser_reads(came)
        if found != [wanted]:
            raise Broken(f"a browser reads {found} from {came!r}", wanted=[wanted], got=found)

    return run


def refuses_two_lines(event: Any) -> None:
    """A line break in the name would begin a field of somebody else's choice."""
    for name in ("post\nid: 9", "post\rid: 9"):
        try:
            came = event("hello", name)
        except ValueError:
            continue
        raise Broken(f"the name {name!r} should be refused with ValueError", got=came)


def over_the_wire(event: Any) -> None:
    """Two events from a running server."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        yield event("one", "post", 1)
        yield event("two\nlines", "post", 2)

    with running(app) as server, Wire(server.address, PATIENCE) as wire:
        body = wire.send(request("/feed")).response().body
    wanted = [("post", "1", "one"), ("post", "2", "two\nlines")]
    same(as_a_browser_reads(body), wanted, "the stream does not hold both events")


SSE_FORMAT = Exercise(
    name="sse-format",
    chapter=7,
    title="Write a server-sent event",
    effort=1,
    subject="event",
    points=(
        Point(
            "one line",
            reads(("message", "", "hello"), "hello"),
            "forgetting the blank line. It is what ends an event; without it a browser goes on "
            "gathering, and shows nothing.",
            SSE,
        ),
        Point("with a name and a number", reads(("post", "7", "hello"), "hello", "post", 7)),
        Point(
            "the number 0",
            reads(("post", "0", "hello"), "hello", "post", 0),
            "taking 0 for no number. None is no number.",
        ),
        Point(
            "two lines",
            reads(("message", "", "one\ntwo"), "one\ntwo"),
            "one `data:` for all. The second line of the text would be an unknown field and be "
            "dropped: every line of the data needs a `data:` of its own.",
            SSE,
        ),
        Point(
            "a blank line in the text",
            reads(("message", "", "one\n\ntwo"), "one\n\ntwo"),
            "dropping empty lines, or letting them through: a line without `data:` ends the event.",
            SSE,
        ),
        Point(
            "the other line ends",
            reads(("message", "", "one\ntwo\nthree"), "one\r\ntwo\rthree"),
            "splitting at \\n alone. A browser takes \\r for the end of a line too, so the rest of "
            "that line becomes a field of its own.",
            SSE,
        ),
        Point(
            "no other line ends",
            reads(("message", "", "one\u2028two\x0bthree"), "one\u2028two\x0bthree"),
            "str.splitlines, which also splits at \\v, at U+2028 and others. A browser does not.",
            SSE,
        ),
        Point(
            "blanks and line ends around it",
            reads(("message", "", " one \n\n"), " one \n\n"),
            "tidying the text up with strip(). It is somebody's text: a browser takes one blank "
            "behind `data:` for the format's, and all others belong to the data.",
            SSE,
        ),
        Point("ümläute", reads(("message", "", "grüß dich"), "grüß dich"), "", SSE),
        Point(
            "a name with a line break",
            refuses_two_lines,
            "writing down whatever the name is. Who can choose it could write fields and whole "
            "events of his own: the same attack as a line break in a header.",
        ),
        Point("two events from a server", over_the_wire, "", SSE),
    ),
    hints=(
        "What does a browser do with a line that has no field name it knows?",
        "A `data: ` in front of every line, split at \\r\\n, \\n and \\r only, and one empty line "
        "at the end. re.split takes several separators.",
        """
        The data's part:

            [f"data: {line}" for line in re.split("\\r\\n|\\n|\\r", data)]
        """,
    ),
    afterwards="""
        A format of lines must say what happens to line ends inside of values. Server-sent events
        repeat the field, HTTP forbids them, and whoever forgets the question has an injection.

        Gunicorn and Uvicorn know nothing of events: for both this is a response of unknown length,
        sent in chunks as your application yields them. What they differ in is who waits between two
        of them: a thread, or a task of an event loop.
        """,
)


# --- count-the-threads ------------------------------------------------------------------------


@contextmanager
def counted(kind: Any, app: Any, threads: int = 6) -> Iterator[tuple[Any, Callable[[], Wire]]]:
    """Serve ``app`` in a learner's middleware; give it and a function that connects."""
    middleware = kind(raw(app))
    with (
        told_by_the_log(),
        running(middleware, threads=threads, clock=fixed) as server,
        ExitStack() as stack,
    ):
        yield middleware, lambda: stack.enter_context(Wire(server.address, PATIENCE))


def falls_to_zero(middleware: Any, after: str) -> None:
    """Demand that ``now`` is 0 in a moment: the server closes after the client has its answer."""
    pause = threading.Event()
    for _ in range(50):
        if middleware.now == 0:
            return
        pause.wait(0.01)
    same(middleware.now, 0, f"now is not 0 {after}")


def while_it_runs(kind: Any) -> None:
    """Three requests are inside the call."""
    inside, go_on = threading.Semaphore(0), threading.Event()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        inside.release()
        go_on.wait(PATIENCE)
        return ok(start_response)

    with counted(kind, app) as (middleware, connect):
        wires = [connect().send(request()) for _ in range(3)]
        for _ in wires:
            inside.acquire(timeout=PATIENCE)
        now = middleware.now
        go_on.set()
        for wire in wires:
            same(wire.response().body, b"ok", "the answer through the middleware")
        same(now, 3, "now, while three requests are inside the application")
        falls_to_zero(middleware, "after all three")
        same(middleware.most, 3, "most, after three at a time")


def while_it_streams(kind: Any) -> None:
    """The application has returned, and its blocks are still to come."""
    go_on = threading.Event()

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [TEXT])
        yield b"first"
        go_on.wait(PATIENCE)
        yield b"last"

    with counted(kind, app) as (middleware, connect):
        wire = connect().send(request())
        wire.until(b"first", "the first block of a stream")
        now = middleware.now
        go_on.set()
        wire.until(b"0\r\n\r\n", "the end of the stream")
        same(now, 1, "now, between two blocks of a stream")
        falls_to_zero(middleware, "after the stream")


def after_a_whole_answer(kind: Any) -> None:
    """All blocks are taken; close() of what the application returned is still to be called."""
    closed = Moment("close() of the inner iterable", PATIENCE)

    def app(environ: Any, start_response: Any) -> Closing:
        start_response("200 OK", [TEXT])
        return Closing([b"one", b"two"], closed)

    with counted(kind, app) as (middleware, connect):
        body = connect().send(request()).response().body
        same(body, b"onetwo", "the answer through the middleware")
        closed.wait()
        falls_to_zero(middleware, "after a whole answer")


def after_an_error(kind: Any) -> None:
    """The application raises, in its call and between two blocks."""

    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/call":
            raise RuntimeError("on purpose")
        return broken_stream(start_response)

    with counted(kind, app) as (middleware, connect):
        for path in ("/call", "/stream"):
            connect().send(request(path)).closed("the application has failed")
            falls_to_zero(middleware, f"after an error at {path}")


def broken_stream(start_response: Any) -> Iterator[bytes]:
    """Yield a block and raise."""
    start_response("200 OK", [TEXT])
    yield b"first"
    raise RuntimeError("on purpose")


def after_leaving(kind: Any) -> None:
    """The client leaves in the middle of a long stream."""
    closed = Moment("close() of the inner iterable", PATIENCE)

    def endless() -> Iterator[bytes]:
        while not closed:
            yield b"x" * 65536

    def app(environ: Any, start_response: Any) -> Closing:
        start_response("200 OK", [TEXT])
        return Closing(endless(), closed)

    with counted(kind, app) as (middleware, connect):
        wire = connect().send(request())
        wire.until(b"x", "the beginning of a stream")
        wire.reset()
        try:
            closed.wait()
        finally:
            closed.happens()
        falls_to_zero(middleware, "after the client has left")


def before_the_first_block(kind: Any) -> None:
    """The server closes before it asks for a block, as it does when the client has left."""
    closed = Moment("close() of the inner iterable", PATIENCE)
    middleware = kind(lambda environ, start_response: Closing([b"one"], closed))
    result = middleware({}, lambda status, headers, exc_info=None: None)
    if not hasattr(result, "close"):
        raise Broken(f"what the middleware returned has no close(): {type(result).__name__}")
    result.close()
    if not closed:
        raise Broken("close() of what the middleware returned has not called the inner close()")
    same(middleware.now, 0, "now, after a close() before the first block")


def slowly_counting(kind: Any) -> Any:
    """Return a kind of ``Counted`` in which others have a turn between reading and writing."""
    if not isinstance(kind, type) or isinstance(getattr(kind, "now", None), property):
        return kind

    def read(self: Any) -> Any:
        now = self.__dict__["the number itself"]
        time.sleep(0)  # CPython would switch here too, but seldom: give the others their turn
        return now

    def write(self: Any, number: Any) -> None:
        self.__dict__["the number itself"] = number

    return type("Counted", (kind,), {"now": property(read, write)})


def under_a_crowd(kind: Any) -> None:
    """Six threads call the middleware a hundred times each, without a server between."""
    middleware = slowly_counting(kind)(lambda environ, start_response: [b""])

    def one() -> None:
        result = middleware({}, lambda status, headers, exc_info=None: None)
        for _ in result or ():
            pass
        if hasattr(result, "close"):
            result.close()

    def many() -> None:
        for _ in range(CROWDED):
            one()

    one()
    if middleware.now != 0:
        raise Slip(f"now is {middleware.now} after one request that was run and closed")
    crowd = [threading.Thread(target=many, daemon=True) for _ in range(6)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join(PATIENCE * 3)
    same(middleware.now, 0, f"now is not 0 after {6 * CROWDED} requests by six threads")
    if not 1 <= middleware.most <= 6:
        raise Broken(f"most is {middleware.most}, and six threads were there, one to six inside")


COUNT_THE_THREADS = Exercise(
    name="count-the-threads",
    chapter=7,
    title="How many threads are inside",
    effort=2,
    subject="Counted",
    points=(
        Point(
            "three at once",
            while_it_runs,
            "never counting down, or only behind the last block: a server may close before it asks "
            "for the end. Or counting requests.",
        ),
        Point(
            "between two blocks",
            while_it_streams,
            "counting down when the application returns. A generator returns at once, and then "
            "the thread runs it, block by block, for as long as it takes.",
            "PEP 3333, Buffering and Streaming",
        ),
        Point(
            "what must be closed",
            after_a_whole_answer,
            "not handing close() on. `yield from` does it only when it is interrupted: after the "
            "last block nobody has called the inner close().",
            "PEP 3333, Specification Details",
        ),
        Point(
            "an application that raises",
            after_an_error,
            "forgetting the way out by an exception. If the call raises there is no iterable, and "
            "so no close().",
            "PEP 3333, Specification Details",
        ),
        Point(
            "a client that leaves",
            after_leaving,
            "counting down at the last block, which never comes, or not handing close() on. The "
            "server calls close() whatever happens: count down there, and call the inner one.",
            "PEP 3333, Specification Details",
        ),
        Point(
            "closed before the first block",
            before_the_first_block,
            "counting down in the finally of a generator. close() of a generator that has not "
            "begun runs nothing of it, not even a finally: write a class with a close() of its "
            "own.",
            "Python Language Reference, Generator-iterator methods",
        ),
        Point(
            "a crowd",
            under_a_crowd,
            "`now += 1` without the lock: two threads may read the same number (the check lets the "
            "others go first just then). Or `most += 1`, which counts all requests: it is the "
            "largest `now` so far.",
        ),
    ),
    hints=(
        "When is a thread done with a request? Not when the application returns.",
        "Return an object of your own: its __iter__ gives the inner blocks, its close() calls the "
        "inner close() and counts down. (A generator with a finally is no such object: closed "
        "before it has begun, it runs nothing.) And count down if the call itself raises.",
        """
        The call:

            self.enter()
            try:
                return Blocks(self.app(environ, start_response), self.leave)
            except BaseException:
                self.leave()
                raise

        Blocks.close() calls the inner close(), if there is one, and in a finally self.leave().
        """,
    ),
    afterwards="""
        A request ends at close(), and this is the only place where a middleware can know it. Your
        counter is the number L of Little's law, live: put it on a dashboard beside the size of the
        pool.

        Gunicorn counts connections in a worker (nr_conns in gunicorn/workers/gthread.py) and stops
        accepting at --worker-connections; how many of its threads are busy it does not tell. Its
        workers call close() in a finally, as ours does.
        """,
    seconds=8.0,
)


# --- long-poll-with-timeout -------------------------------------------------------------------


class News:
    """A learner's application on a pool, and the words to talk with it."""

    def __init__(
        self, address: tuple[str, int], stack: ExitStack, before: set[threading.Thread]
    ) -> None:
        self._address = address
        self._stack = stack
        self._before = before

    def ask(self, after: int, patience: float = PATIENCE) -> Wire:
        """Begin to poll."""
        wire = self._stack.enter_context(Wire(self._address, patience))
        return wire.send(request(f"/news?after={after}"))

    def post(self, text: str) -> Answer:
        """Post, and wait for the answer: whoever has news must not wait for those who have none."""
        wire = self._stack.enter_context(Wire(self._address, PATIENCE))
        try:
            return wire.send(request("/news", method="POST", body=text.encode())).response()
        except Broken as broken:
            if not (where := places(self._before)) or not broken.problem.startswith("still"):
                raise
            problem = f"a post got no answer within {PATIENCE:g} s; meanwhile your code is at"
            raise Hangs(f"{problem} {where}", sent=broken.sent) from None


@contextmanager
def news_of(make_app: Any, patience: float, seats: int, threads: int = 4) -> Iterator[News]:
    """Run a learner's application."""
    app, before = make_app(patience, seats), set(threading.enumerate())
    with (
        told_by_the_log(),
        ExitStack() as behind,
        running(app, threads=threads, patience=1.0, clock=fixed) as server,
        ExitStack() as stack,
    ):
        try:
            yield News(server.address, stack, before)
        except Broken:
            behind.enter_context(redirect_stdout(io.StringIO()))  # who hangs is told already
            raise


def texts(answer: Answer) -> Any:
    """Return the news in an answer."""
    same(answer.status, 200, "the status of a poll that has news")
    kind = (answer.value("content-type") or "none").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Slip(f"the Content-Type of news is application/json; yours is {kind}")
    try:
        return json.loads(answer.body)
    except ValueError:
        raise Broken("the body is not JSON", got=answer.body) from None


def there_already(make_app: Any) -> None:
    """News that are there are given at once, from the right place on."""
    with news_of(make_app, LONG, 1) as news:
        same(news.post("one").status, 201, "the status of a post")
        news.post("two")
        same(texts(news.ask(0).response()), ["one", "two"], "the news after 0")
        same(texts(news.ask(1).response()), ["two"], "the news after 1")


def beyond_ascii(make_app: Any) -> None:
    """A text with an umlaut goes in as UTF-8, and comes out as it was."""
    with news_of(make_app, LONG, 1) as news:
        same(news.post("grüß dich").status, 201, "the status of a post")
        same(texts(news.ask(0).response()), ["grüß dich"], "the news, of which one is no ASCII")


def nothing_new(make_app: Any) -> None:
    """No news for a while."""
    with news_of(make_app, 0.1, 1) as news:
        same(news.ask(0).response().status, 204, "a poll that got nothing")


def woken(make_app: Any) -> None:
    """Four wait; one post wakes them all."""
    with news_of(make_app, LONG, 4, threads=6) as news:
        polls = [news.ask(0) for _ in range(4)]
        if polls[0].readable(0.15):
            raise Broken("a poll was answered before there was any news", got=polls[0].response())
        news.post("hello")
        for poll in polls:
            same(texts(poll.response()), ["hello"], "one of four who waited")


def ahead(make_app: Any) -> None:
    """A client knows more than there is yet: the first post is no news for it, the second is."""
    with news_of(make_app, LONG, 1) as news:
        poll = news.ask(1)
        poll.readable(0.1)  # it sits down meanwhile
        news.post("one")
        if poll.readable(0.1):
            status = poll.response().status
            raise Broken(f"a poll with after=1 was answered {status} when the first news came")
        news.post("two")
        same(texts(poll.response()), ["two"], "the news behind the first one")


def seats_are_few(make_app: Any) -> None:
    """Four threads, two seats, six polls, and a poster."""
    with news_of(make_app, LONG, 2) as news:
        polls = [news.ask(0) for _ in range(6)]
        turned_away = []
        for _ in range(60):
            turned_away = [poll for poll in polls if poll.readable(0.005)]
            if len(turned_away) == 4:
                break
        same(len(turned_away), 4, "polls that were answered at once, of six for two seats")
        for poll in turned_away:
            answer = poll.response()
            same(answer.status, 503, "a poll without a seat")
            after = answer.value("retry-after")
            if after is None or not after.isdecimal():
                how = "no Retry-After" if after is None else f"Retry-After: {after}"
                raise Broken(f"a number of seconds is wanted; the 503 has {how}", got=answer.head)
        same(news.post("hello").status, 201, "the post, while two wait")
        for poll in polls:
            if poll not in turned_away:
                same(texts(poll.response()), ["hello"], "a poll that had a seat")


def no_seat_needed(make_app: Any) -> None:
    """One waits on the only seat; another one asks for news that are there."""
    with news_of(make_app, LONG, 1) as news:
        news.post("one")
        polls = [news.ask(1) for _ in range(2)]
        for _ in range(60):  # who is turned away tells that the other one sits
            if any(poll.readable(0.005) for poll in polls):
                break
        try:
            same(texts(news.ask(0).response()), ["one"], "news that are there, without a seat")
        finally:
            news.post("two")  # let the others go


def seats_come_back(make_app: Any) -> None:
    """A seat is free again after a poll that got nothing."""
    with news_of(make_app, 0.05, 1) as news:
        for _ in range(3):
            same(news.ask(0).response().status, 204, "a poll after one that got nothing")
        news.post("hello")
        same(texts(news.ask(0).response()), ["hello"], "the news after all")


LONG_POLL = Exercise(
    name="long-poll-with-timeout",
    chapter=7,
    title="Long polling that a pool survives",
    effort=3,
    subject="make_app",
    points=(
        Point(
            "news that are there",
            there_already,
            "waiting first and looking then: who asks late must not wait for the next post. Or "
            "giving all the news to a client that has the first N.",
        ),
        Point(
            "nothing new",
            nothing_new,
            "waiting without a limit, or answering 200 with an empty list. 204 says that there is "
            "nothing to say.",
            "RFC 9110 §15.3.5",
        ),
        Point(
            "no ASCII",
            beyond_ascii,
            "another encoding than UTF-8: bytes.decode() without an argument takes that.",
            "RFC 8259 §8.1",
        ),
        Point(
            "four who wait",
            woken,
            "notify() where notify_all() is meant: one post, one happy client. Or sleeping with "
            "the lock in hand, so that nobody can post; wait_for gives it away meanwhile.",
        ),
        Point(
            "news, but not for this one",
            ahead,
            "taking the end of wait() for news. It says that something has changed; look whether "
            "that is what you wait for: wait_for(lambda: len(news) > after, patience) does.",
            "Python Library Reference, threading.Condition.wait_for",
        ),
        Point(
            "six for two seats",
            seats_are_few,
            "letting everybody wait. Then all threads are in polls, and the post that would wake "
            "them has none: it stands in line behind those who wait for it. Or sending away "
            "without a word about when to come back (Retry-After, in seconds).",
            "RFC 9110 §15.6.4",
        ),
        Point(
            "news, and no seat left",
            no_seat_needed,
            "taking a seat before looking at the news. Seats are for those who wait: look first.",
        ),
        Point(
            "a seat comes back",
            seats_come_back,
            "a seat that is given back only after good news. Give it back in a finally.",
        ),
    ),
    hints=(
        "threading.Condition: a lock, and a way to wait until something under that lock changes.",
        "condition.wait_for(lambda: len(news) > after, patience) waits and gives the lock away "
        "meanwhile. Count who waits under the same lock, before and in a finally after it.",
        """
        The heart of it:

            with changed:
                if len(news) <= after:
                    if waiting >= seats:
                        return None          # 503
                    waiting += 1
                    try:
                        changed.wait_for(lambda: len(news) > after, patience)
                    finally:
                        waiting -= 1
                return news[after:]
        """,
    ),
    afterwards="""
        You have bounded the waiting, so some threads are always free for those who bring news. The
        price is that most readers are turned away: two seats are two readers.

        Gunicorn cannot do this for you. Its threads are in your view, and the arbiter sees only
        that the worker still lives: with --threads 4 and four polls, the fifth client waits. With
        an event loop a waiting client costs no thread, and the seats may be counted in thousands;
        that is what Uvicorn and chapter 10 are about.
        """,
    seconds=8.0,
)

EXERCISES = (SSE_FORMAT, COUNT_THE_THREADS, LONG_POLL)
