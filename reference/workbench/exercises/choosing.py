"""The exercise ``choose-for-a-load`` of chapter 14: cells made up, cells just probed, and proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from workbench.contracts import Broken
from workbench.contracts.http2_client import PREFACE, SETTINGS, frame
from workbench.ecosystem.features import Cell, ask, features_of
from workbench.ecosystem.servers import SERVERS
from workbench.ecosystem.starting import CannotServe, Run, serving
from workbench.exercises.model import Exercise, Point, Slip
from workbench.gauntlet.asking import Asking
from workbench.gauntlet.http2 import connected, head
from workbench.gauntlet.websocket import handshake

Needs = Mapping[str, tuple[str, ...]]
Ways = Mapping[str, tuple[str, ...]]
Pairs = list[tuple[str, str]]

H2C, TRAILERS = "HTTP/2 without TLS", "trailers over HTTP/2"
DEFLATE, STARTUP = "permessage-deflate", "startup.failed"
ANY = ("plain", "workers", "h2c", "tls")
PROBED = {"uvicorn": "plain", "gunicorn-asgi": "h2c", "ours": "plain"}
"""The servers that are probed here, and the way in which they run meanwhile."""

CALLS, PRICES = "a service of calls over HTTP/2", "a feed of prices"
STREAMS_OF_CALLS: Needs = {H2C: ("h2c",), TRAILERS: ("h2c", "tls"), STARTUP: ANY}
FEED_OF_PRICES: Needs = {DEFLATE: ANY, STARTUP: ANY}


def chosen(choose: Any, cells: list[Cell], needs: Needs, ways: Ways, **costs: float) -> Pairs:
    """Call a learner's function; raise Slip when it gives back something else than pairs."""
    got = choose(list(cells), dict(needs), dict(ways), dict(costs))
    fits = isinstance(got, list) and all(
        isinstance(pair, tuple) and [*map(type, pair)] == [str, str] for pair in got
    )
    if not fits:
        raise Slip(f"choose returns a list of (server, way), both str; yours returned {got!r:.80}")
    return got  # type: ignore[no-any-return]


def demand(got: list[Any], wanted: list[Any], problem: str) -> None:
    """Demand this choice."""
    if got != wanted:
        raise Broken(problem, got=got, wanted=wanted)


# --- Cells that are made up -------------------------------------------------------------------


def cells_of(*rows: tuple[str, str, str, bool | None]) -> list[Cell]:
    """Return cells: server, feature, what is said, whether it is good."""
    return [Cell(server, name, said, good=good) for server, name, said, good in rows]


def plainly(cells: list[Cell], *ways: str) -> Ways:
    """Return the same ways for each server."""
    return {cell.server: ways or ("plain",) for cell in cells}


def nothing_else_is_a_yes(choose: Any) -> None:
    """One server in six has what is needed."""
    cells = cells_of(
        ("ash", "hints", "no", False),
        ("birch", "hints", "failed", None),
        ("cedar", "hints", "–", None),
        ("elm", "hints", "> 3 s", None),
        ("fir", "trailers", "yes", True),
        ("oak", "hints", "yes", True),
        ("oak", "trailers", "no", False),
    )
    got = chosen(choose, cells, {"hints": ANY}, plainly(cells))
    problem = (
        "hints are needed: ash has none, of birch, cedar and elm nobody knows, and fir has no "
        "cell for it; oak has them"
    )
    demand(got, [("oak", "plain")], problem)


def words_are_for_people(choose: Any) -> None:
    """What a cell says begins with a yes, or with a no, and means the contrary."""
    cells = cells_of(
        ("ash", "limit", "no limit below 16 MiB", True),
        ("birch", "limit", "yes, and is cut at it", False),
        ("cedar", "limit", "offered, does nothing", False),
        ("elm", "limit", "16 MiB, then 1009", True),
    )
    got = chosen(choose, cells, {"limit": ANY}, plainly(cells))
    demand(got, [("ash", "plain"), ("elm", "plain")], "the cells of ash and elm are good")


def in_one_start(choose: Any) -> None:
    """Two needs, and each can be had in other ways."""
    names = ("ash", "birch", "cedar")
    cells = cells_of(
        *((name, feature, "yes", True) for name in names for feature in (H2C, "ALPN", "hints"))
    )
    ways = {"ash": ("plain", "h2c"), "birch": ("plain", "tls", "h2c"), "cedar": ("plain", "tls")}
    got = chosen(choose, cells, {H2C: ("h2c",), "hints": ("plain", "h2c")}, ways)
    demand(got, [("ash", "h2c"), ("birch", "h2c")],
           "both needs meet in the way h2c alone, and cedar has no such way")  # fmt: skip
    got = chosen(choose, cells, {H2C: ("h2c",), "ALPN": ("tls",)}, ways)
    demand(got, [], "one start is with TLS or without, so nobody meets both needs at a time")
    got = chosen(choose, cells, {"hints": ("tls", "plain")}, ways)
    demand(got, [(name, "plain") for name in names], "the server's ways have the plainest first")


def five(names: str) -> list[Cell]:
    """Return a good cell for each letter."""
    return cells_of(*((name, "hints", "yes", True) for name in names))


def cheapest_first(choose: Any) -> None:
    """Costs that differ, and costs that are level."""
    cells = five("abcde")
    got = chosen(choose, cells, {"hints": ANY}, plainly(cells), a=90, b=50, c=210, d=20, e=40)
    demand([name for name, _ in got], [*"debac"],
           "a: 90, b: 50, c: 210, d: 20, e: 40 µs; nobody is level with anybody")  # fmt: skip
    got = chosen(choose, cells, {"hints": ANY}, plainly(cells), a=109, b=105, c=100, d=99.5, e=118)
    demand([name for name, _ in got], [*"abcde"],
           "a: 109, b: 105, c: 100, d: 99.5, e: 118 µs; up to 109.45 all are level with the "
           "cheapest, d, and the table's order is a, b, c, d; e is not")  # fmt: skip
    got = chosen(choose, cells, {"hints": ANY}, plainly(cells), a=119, b=109, c=100, d=118, e=130)
    demand([name for name, _ in got], [*"bcade"],
           "a: 119, b: 109, c: 100, d: 118, e: 130 µs; level with the cheapest, c, is b alone; of "
           "the rest the cheapest is d, and a is level with it")  # fmt: skip
    got = chosen(choose, cells, {"hints": ANY}, plainly(cells), a=100, b=115, c=105, d=300, e=400)
    demand([name for name, _ in got], [*"acbde"],
           "a: 100, b: 115, c: 105 µs; c is level with a, and b is not: take a and c, then begin "
           "again with b")  # fmt: skip


def not_measured(choose: Any) -> None:
    """Costs are known of some."""
    cells = five("abcd")
    got = chosen(choose, cells, {"hints": ANY}, plainly(cells), b=300, d=20)
    demand([name for name, _ in got], [*"dbac"],
           "b: 300, d: 20 µs; a and c were not measured")  # fmt: skip
    got = chosen(choose, cells, {"hints": ANY}, plainly(cells))
    demand([name for name, _ in got], [*"abcd"], "nobody was measured")


# --- Cells that are probed now ----------------------------------------------------------------


@cache
def probed() -> tuple[Cell, ...]:
    """Probe three servers that really run, once for all points."""
    features = features_of("asgi", [H2C, TRAILERS, DEFLATE, STARTUP])

    def row(name: str) -> list[Cell]:
        server = SERVERS[name]
        try:
            with serving(server, PROBED[name]) as run:
                return [ask(each, server, run) for each in features]
        except CannotServe as error:
            raise Slip(f"this point needs {name}, and it does not start: {error}") from None

    with ThreadPoolExecutor(len(PROBED)) as pool:
        return tuple(cell for cells in pool.map(row, PROBED) for cell in cells)


def ways_of_all() -> Ways:
    """Return the ways of the servers that are probed."""
    return {name: tuple(SERVERS[name].ways) for name in PROBED}


def wanted_of(needs: Needs) -> Pairs:
    """Return what the cells that were probed say about these needs: without costs, all are level.

    Each of the needs has one way in common here, which `first` finds.
    """
    good = {(cell.server, cell.feature) for cell in probed() if cell.good}
    return [
        (name, first(needs, ways))
        for name, ways in ways_of_all().items()
        if {(name, feature) for feature in needs} <= good
    ]


def first(needs: Needs, ways: tuple[str, ...]) -> str:
    """Return the first way that serves all needs."""
    return next(way for way in ways if all(way in each for each in needs.values()))


def on_nothing(choose: Any) -> None:
    """Of no servers nobody is chosen: asked before any is started, for that takes a while."""
    demand(chosen(choose, [], STREAMS_OF_CALLS, {}), [], "the table is empty")


def as_probed(choose: Any) -> None:
    """Two loads, and three servers that have just been probed."""
    on_nothing(choose)
    for load, needs in ((CALLS, STREAMS_OF_CALLS), (PRICES, FEED_OF_PRICES)):
        got = chosen(choose, list(probed()), needs, ways_of_all())
        said = "; ".join(
            f"{cell.server}, {cell.feature}: {cell.said}"
            for cell in probed()
            if cell.feature in needs and not cell.good
        )
        demand(got, wanted_of(needs), f"{load} needs {', '.join(needs)}; {said}")


def speaks_http2_with_trailers(run: Run) -> None:
    """The preface is answered by SETTINGS, and a trailer comes behind the content."""
    sent = PREFACE + frame(SETTINGS)
    wire = run.connect().send(sent)
    came = bytes(wire.buf[:40]) if wire.until_any() else b""
    if came[3:4] != bytes([SETTINGS]):
        raise Broken("the answer to HTTP/2's preface is no SETTINGS frame", sent=sent, got=came)
    talk = connected(Asking(run.live, "asgi", str(run._folder)))
    path = f"/a/trailers?token={run.token()}"
    reply = talk.replies[talk.ask(head(path, (b"te", b"trailers")))]
    talk.until(lambda: reply.over, "the end of the response")
    if (b"x-after", b"yes") not in reply.trailers:
        raise Broken("the application's trailer is not there", got=reply.trailers)


def agrees_to_compress(run: Run) -> None:
    """The handshake of a WebSocket is answered with the extension that it offers."""
    sent = handshake("/echo", "Sec-WebSocket-Extensions: permessage-deflate")
    answer = run.connect().send(sent).response()
    if "permessage-deflate" not in (answer.value("sec-websocket-extensions") or ""):
        raise Broken("permessage-deflate was not agreed on", sent=sent, got=answer.head)


def proved(choose: Any) -> None:
    """The first choice for each load is started, in the way that was chosen, and asked.

    What it does when its application does not start up was probed in that very way just now.
    """
    proofs: dict[str, tuple[Needs, Callable[[Run], None]]] = {
        CALLS: (STREAMS_OF_CALLS, speaks_http2_with_trailers),
        PRICES: (FEED_OF_PRICES, agrees_to_compress),
    }
    on_nothing(choose)
    for load, (needs, proof) in proofs.items():
        if not wanted_of(needs):  # of these versions nobody will do
            continue
        got = chosen(choose, list(probed()), needs, ways_of_all())
        if not got:
            raise Broken(f"nobody was chosen for {load}", got=got, wanted=wanted_of(needs))
        name, way = got[0]
        if way not in ways_of_all().get(name, ()):
            raise Broken(f"there is no server {name!r} with a way {way!r} in the table")
        try:
            with serving(SERVERS[name], way) as run:
                proof(run)
        except CannotServe as error:
            raise Broken(f"started the way {way}: {error}") from None
        except Broken as broken:
            command = SERVERS[name].ways[way].replace("{python} -m ", "").replace("{app}", "app")
            problem = f"{broken.problem}, for {load}, from: {command}"
            raise Broken(problem, sent=broken.sent, got=broken.got) from None


CHOOSE_FOR_A_LOAD = Exercise(
    name="choose-for-a-load",
    chapter=14,
    title="A server for a load, and the way to start it",
    effort=2,
    subject="choose",
    points=(
        Point(
            "nothing else is a yes",
            nothing_else_is_a_yes,
            "looking for a reason against a server instead of one for it. None is no yes: the "
            "probe failed, or could not be asked. Nor is a cell that is not there.",
            seconds=3.0,
        ),
        Point(
            "words are for people",
            words_are_for_people,
            "reading `said`. It says what was seen, in words that differ from row to row; whether "
            "the feature is there is `good`.",
            seconds=3.0,
        ),
        Point(
            "all in one start",
            in_one_start,
            "putting together a server out of two: HTTP/2 without TLS is a yes, and ALPN is a yes, "
            "but the port speaks TLS or it does not. One way must be among the ways of every need.",
            seconds=3.0,
        ),
        Point(
            "the cheapest first",
            cheapest_first,
            "sorting by the bare numbers, or comparing neighbours. Who is within a tenth of the "
            "cheapest that is left is level with it; a chain of small steps leads further than a "
            "tenth. Take that group, in the table's order, then begin again with the rest.",
            seconds=3.0,
        ),
        Point(
            "not measured",
            not_measured,
            "taking a missing number for 0, or leaving the server out. Nobody knows what it costs: "
            "it comes last, and it still meets the needs.",
            seconds=3.0,
        ),
        Point(
            "as probed just now",
            as_probed,
            "choosing by the name. Which server meets a need is what the probe has found in the "
            "versions that are installed here, and in no others.",
        ),
        Point(
            "proved over the wire",
            proved,
            "the first of the server's ways, whatever is needed. The table says what a server can "
            "do in its best way: Gunicorn speaks HTTP/2 without TLS only when two options say so, "
            "and started plainly it answers the preface with a 400.",
            "RFC 9113 §3.3",
        ),
    ),
    hints=(
        "Three questions, one after the other: who meets every need? In which way at once? In "
        "which order? Each has its own loop.",
        "A set of the pairs (server, feature) whose cell is good makes the first one `all(... in "
        "found ...)`. For the order: the least cost of those that are left, then everybody within "
        "1.1 of it, in the table's order; repeat.",
        """
        The middle and the end of it:

            way = next(
                (way for way in ways[server] if all(way in each for each in needs.values())), ""
            )

            while left:
                cheapest = min(costs[server] for server in left)
                level = [server for server in left if costs[server] <= 1.1 * cheapest]
                ranked += level
                left = [server for server in left if server not in level]
        """,
    ),
    afterwards="""
        A choice that can be run again is worth more than a good one: the next version of a server
        comes, the probes run, and the list changes or it does not.

        Uvicorn shows what "the way" is worth: with httptools it answers the preface with a 400, and
        with --http zttp --http2 it speaks HTTP/2, so "Uvicorn has no HTTP/2" is true of the one
        command line and wrong of the other. Gunicorn asks for --http-protocols h2,h1 and
        --http2-cleartext both; with prior-knowledge in its place the port is closed to HTTP/1.1.
        And the status of a failed start is what a supervisor acts on: Hypercorn logs the reason,
        and its master exits with 0, which looks like success; with -w 0, without a master, the
        status is 1.
        """,
    seconds=25.0,
    measures=True,
)
