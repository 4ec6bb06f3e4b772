"""The exercise ``configure-gunicorn`` of chapter 06: options for a load, proved by measurement."""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Callable
from typing import Any

import psutil  # type: ignore[import-untyped]  # published without types

from workbench.contracts import Broken
from workbench.contracts.wire import request
from workbench.ecosystem.looking import crowd, heard, noted, tried
from workbench.exercises.in_time import in_time
from workbench.exercises.keeping import Kept, kept, let_go
from workbench.exercises.model import Exercise, Point, Slip
from workbench.load import load

CLIENTS = 24
WAIT = 0.1  # seconds that a request waits for its database
SHARE = 0.6  # of what Little's law allows
TURNS = 3  # measurements, of which the best counts
HOPELESS = 0.4  # of the share: who is below it will not reach it
WORKERS = 2
CONNECTIONS = 64  # that the database allows
STALLED = 6
OTHERS = 8  # who ask beside them, one after the other
FROZEN = 6.0  # seconds for a frozen worker to be replaced
NOTICED = 2.0  # of them for the master: it looks once a second, and kills at its second look
CALL = 2.0  # seconds for the learner's function
STEP = 0.02

GUNICORN = "{python} -m gunicorn {app} -b 127.0.0.1:{port} --log-level warning"
FREE = (
    "-k", "--worker-class", "-w", "--workers", "--threads", "-t", "--timeout", "--keep-alive",
    "--graceful-timeout", "--backlog", "--worker-connections", "--max-requests",
    "--max-requests-jitter", "--preload",
)  # fmt: skip


def gunicorn(options: Any) -> Kept:
    """Run Gunicorn with a learner's options; raise Slip for what is no list of such options."""
    given = in_time(options, CALL, "options()")
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise Slip(f"options() returns a list of strings; yours returned {given!r:.120}")
    for each in given:
        if each.startswith("-") and " " in each:
            raise Slip(f"{each!r} is two words on a command line: {', '.join(each.split())}")
        name = each.partition("=")[0]
        if each.startswith("-") and name not in FREE and name[:2] not in ("-k", "-w", "-t"):
            raise Slip(f"{each} is not free to choose: there are {', '.join(FREE)}")
    server = kept({"gunicorn": f"{GUNICORN} {shlex.join(given)}".rstrip()})["gunicorn"]
    wanted = configured(server).workers  # the master accepts before they are there
    if wanted < 1:
        raise Slip(f"with {wanted} workers nobody answers")
    until(lambda: len(workers(server)) >= wanted, 3.0)
    server.ask(request("/ok", "Connection: close"))
    return server


def with_gunicorn(look: Callable[[Kept], None]) -> Callable[[Any], None]:
    """Return a point that looks at the running server; what it has opened is closed behind it."""

    def run(options: Any) -> None:
        server = gunicorn(options)
        try:
            look(server)
        except BaseException:
            let_go()  # for what a learner tries next, it has to start anew anyway
            raise
        finally:
            server.close()

    return run


def workers(server: Kept) -> list[psutil.Process]:
    """Return the processes below the master."""
    found = psutil.Process(server.pid).children()
    return [each for each in found if each.status() != psutil.STATUS_ZOMBIE]


def until(ready: Callable[[], object], seconds: float) -> bool:
    """Wait until something is so; tell whether it was in time."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(STEP)
    return True


def fast(server: Kept) -> None:
    """So many clients ask without a pause: the best of some turns."""
    ideal = CLIENTS / WAIT
    best = 0.0
    for _ in range(TURNS):
        run = load(server, CLIENTS, 0.6, path=f"/pid?ms={WAIT * 1000:.0f}", drain=0.1)
        best = max(best, run.rate)
        if best >= SHARE * ideal:
            return
        if best < HOPELESS * SHARE * ideal:
            break
    raise Broken(
        f"{CLIENTS} clients, {WAIT:g} s each: {ideal:.0f} answers a second are possible, yours "
        f"gives {best:.0f}, {best / ideal:.0%}; wanted are {SHARE:.0%}"
    )


def few(server: Kept) -> None:
    """Count the processes, and the requests that run at a time."""
    if (number := len(workers(server))) > WORKERS:
        raise Broken(f"there are {number} worker processes, and memory for {WORKERS}")
    inside = len(crowd(server, CONNECTIONS + 20))  # type: ignore[arg-type]  # it asks no more
    if inside > CONNECTIONS:
        raise Broken(f"{inside} requests ran at a time; the database allows {CONNECTIONS}")


def stalled(server: Kept) -> None:
    """Some clients stall in the middle of a head."""
    for _ in range(STALLED):
        server.connect().send(request("/ok")[:-6])
    time.sleep(0.1)  # or we might ask before they are accepted
    for _ in range(OTHERS):  # of several, for all who stall may have come to one worker
        came = tried(server, request("/ok", "Connection: close"))  # type: ignore[arg-type]
        if came != "200":
            raise Broken(f"beside {STALLED} clients that stall, another one hears {came} for 1 s")


def asks_again(server: Kept) -> None:
    """One client asks, and asks again."""
    wire = server.connect()
    first = wire.send(request("/ok")).response()
    time.sleep(0.3)
    second, came = heard(wire.send(request("/ok")))
    if second is None:
        said = first.value("connection")
        raise Broken(f"asked again after 0.3 s, the connection is {came}; it said {said!r} before")


def one_is_killed(server: Kept) -> None:
    """While a request runs, another worker is killed."""
    before = workers(server)
    if len(before) < 2:
        raise Broken("there is one worker: when it dies, every request that runs dies with it")
    token = server.token()
    wire = server.connect().send(request(f"/wait?seconds=4&token={token}"))
    note = noted(server, token, seconds=2.0)  # type: ignore[arg-type]
    if note is None:
        raise Broken("a request does not reach the application within 2 s")
    victim = next(each for each in before if each.pid != note["pid"])
    victim.kill()
    new = until(lambda: set(workers(server)) - set(before), 3.0)
    server.open(token)
    answer, came = heard(wire)
    if answer is None or answer.body != b"opened":
        raise Broken(f"a worker was killed, and a request in another one was not answered: {came}")
    if not new:
        raise Broken("a worker was killed, and none has taken its place within 3 s")


def one_freezes(server: Kept) -> None:
    """A worker is stopped in its tracks, as by a lock that is never released."""
    timeout = configured(server).timeout
    if not timeout:
        raise Broken("a worker freezes: with --timeout 0 the master never notices")
    if timeout > FROZEN - NOTICED:
        raise Broken(
            f"a worker freezes: it is late after {timeout} s, the master looks once a second and "
            f"kills at its second look: up to {timeout + NOTICED:g} s, and {FROZEN:g} are allowed"
        )
    victim = workers(server)[0]
    os.kill(victim.pid, signal.SIGSTOP)
    gone = until(lambda: not victim.is_running() or victim.status() == psutil.STATUS_ZOMBIE, 8.0)
    if not gone:
        raise Broken(f"a worker was frozen, and is still there after 8 s; --timeout is {timeout}")


def configured(server: Kept) -> Any:
    """Return what a running Gunicorn was told, as its own parser reads its command line."""
    from gunicorn.config import Config  # type: ignore[import-untyped]  # published without types

    words = psutil.Process(server.pid).cmdline()
    config = Config()
    parsed = config.parser().parse_args(words[words.index("gunicorn") + 1 :])
    for name in ("timeout", "workers"):
        if (value := getattr(parsed, name)) is not None:
            config.set(name, value)
    return config


CONFIGURE = Exercise(
    name="configure-gunicorn",
    chapter=6,
    title="Options for a load",
    effort=2,
    subject="options",
    points=(
        Point(
            "the rate",
            with_gunicorn(fast),
            "too few requests that can run at a time. L = λ W: for all of the rate 24 must wait "
            "together, and a sync worker runs one. Nor do the workers share the clients evenly: "
            "who accepts first may get nearly all of them.",
            "Little's law",
        ),
        Point(
            "no more than there is room for",
            with_gunicorn(few),
            "a process for each request, or a thread for each client that might come. What waits "
            "needs a thread, and no process; and what is behind the server bounds both.",
        ),
        Point(
            "six clients that stall",
            with_gunicorn(stalled),
            "counting only the clients that behave. Half a head takes one of Gunicorn's threads "
            "for as long as its client likes, and a sync worker until --timeout kills it.",
            "RFC 9112 §9.5",
        ),
        Point(
            "one asks again",
            with_gunicorn(asks_again),
            "a worker that keeps no connection: sync never does, gthread does not with "
            "--keep-alive 0.",
            "RFC 9112 §9.3",
        ),
        Point(
            "one worker is killed",
            with_gunicorn(one_is_killed),
            "one process for all. Threads share their end: with a second worker half of the "
            "requests survive it.",
        ),
        Point(
            "one worker freezes",
            with_gunicorn(one_freezes),
            "leaving --timeout at its 30 s, switching it off with 0, or leaving the master no time "
            "to look and to kill. It replaces by "
            "itself who has died; who only stands still is noticed by this clock alone.",
        ),
    ),
    hints=(
        "How many requests must wait at a time (Little's law), how many processes are allowed, and "
        "which worker class of the feature table runs more than one request in a process?",
        "-k gthread, two workers. The 24 clients and the 6 that stall may all have come to one of "
        "the two, so each needs a thread for every one of them; and both together at most 64.",
        """
        Nearly all of it:

            ["-k", "gthread", "--workers", "2", "--threads", ..., "--timeout", ...]

        30 to 32 threads are the safe side: fewer do when the clients happen to be shared out well.
        And 2 to 4 seconds.
        """,
    ),
    afterwards="""
        Three of the demands pull against each other: threads for the rate, few of them for the
        database, processes for the day on which one dies. That is why no default fits, and why
        Gunicorn's own (one sync worker) is for none of it.

        --timeout is no limit for a request. A worker's main loop touches a file (gthread once a
        second, an idle sync worker every half --timeout), and the master kills who has not
        (murder_workers in gunicorn/arbiter.py): a sync worker that runs a long request does not
        touch it, and is killed in the middle of it. In gthread the
        main loop goes on beside its threads, so a request may hang there for ever, unnoticed; what
        trips the clock is a worker that as a whole stands still, as yours was made to.
        """,
    seconds=14.0,
    measures=True,
)
