"""Both HTTP/1.1 engines keep the engine contract, and read the corpus however it is cut.

A case's clause is in its test id; a corpus file's is its sentence.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from corpus_files import Invalid, Valid, cuts, load_invalid, load_valid

from handmade import http1, http1_h11
from handmade.events import NEED_DATA, PAUSED, Closed, Data, End, Event, PeerError, Request
from workbench.contracts import Broken, Case, cases
from workbench.contracts.engine import NEXT, Make, bytewise, read_until_error, request_of

ENGINES: dict[str, Make] = {"handmade": http1.Connection, "h11": http1_h11.Connection}
CASES = cases("engine")
VALID = load_valid()
INVALID = load_invalid()
SMUGGLED = request_of(target=b"/smuggled")

# What the h11 engine makes of invalid files where it may differ: the name of the difference, and
# the status, or None where it takes the request. Anything that is not here must be refused alike.
H11_DIFFERS: dict[str, tuple[str, int | None]] = {
    "a target with a fragment": ("fragment", None),
    "a field value has an escape character in it": ("control characters", None),
    "a field value has a DEL in it": ("control characters", None),
    "the coding is identity": ("transfer codings", 501),
    "the coding is almost chunked": ("transfer codings", 501),
    "an unknown coding behind chunked": ("transfer codings", 501),
    "chunked with a parameter": ("transfer codings", 501),
    "chunked in quotes": ("transfer codings", 501),
    "chunked twice in one field": ("transfer codings", 501),
    "chunked twice in two fields": ("transfer codings", 501),
    "chunked and then identity in two fields": ("transfer codings", 501),
    "an empty Transfer-Encoding": ("transfer codings", 501),
    "a chunk size has a blank behind it": ("chunk blank", None),
    "a chunk size of seventeen digits": ("announced chunk", 400),
    "a chunk over the limit": ("announced chunk", 400),
    "a chunk extension holds a bare CR": ("chunk extension", None),
    "a chunk extension has no name": ("chunk extension", None),
    "a chunk extension has an open quote": ("chunk extension", None),
    "a chunk extension of five thousand bytes": ("chunk extension", None),
    "a trailer line ends in a bare LF": ("trailer lines", None),
    "the last line of the trailers is a bare LF": ("trailer lines", None),
    "a trailer is folded": ("trailer lines", None),
}

engines = pytest.mark.parametrize("make", ENGINES.values(), ids=ENGINES)


class ByteByByte:
    """Feed an engine a byte at a time, and read what each byte brings before the next."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.waiting: list[Event | PeerError] = []

    def receive(self, data: bytes) -> None:
        for piece in bytewise(data) or [b""]:
            self._read_ahead()
            self.engine.receive(piece)
        self._read_ahead()

    def _read_ahead(self) -> None:
        if self.waiting and isinstance(self.waiting[-1], PeerError | Closed):
            return
        try:
            while (event := self.engine.next_event()) not in (NEED_DATA, PAUSED):
                self.waiting.append(event)
                if isinstance(event, Closed):
                    return
        except PeerError as error:
            self.waiting.append(error)

    def next_event(self) -> Event:
        if not self.waiting:
            return self.engine.next_event()
        event = self.waiting.pop(0)
        if isinstance(event, PeerError):
            raise event
        return event

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)


@engines
@pytest.mark.parametrize("each", CASES, ids=[f"{case.name} - {case.clause}" for case in CASES])
def test_contract(make: Make, each: Case) -> None:
    """The case holds with bytes that come whole, and with bytes that come one by one."""
    each.run(make)
    each.run(lambda *limits: ByteByByte(make(*limits)))


def test_the_contract_has_what_the_notebooks_name() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) >= 45
    assert {case.chapter for case in CASES} == {2, 3}
    assert all(case.clause.startswith("RFC 9") and case.sentence.endswith(".") for case in CASES)


class Deaf:
    """An engine that never hears anything: no case may be content with it."""

    def __init__(self, limits: object = None) -> None:
        self.must_close = self.owes_response = self.owes_continue = self.between_requests = False

    def receive(self, data: bytes) -> None: ...

    def next_event(self) -> Event:
        return NEED_DATA

    def send(self, event: object) -> bytes:
        return b""

    def close_after_response(self) -> None: ...


@pytest.mark.parametrize("each", CASES, ids=[case.name for case in CASES])
def test_no_case_is_kept_by_an_engine_that_does_nothing(each: Case) -> None:
    if each.name in ("half a head", "100 is not needed"):
        return  # they say what must not happen
    with pytest.raises(Broken):
        each.run(Deaf)


# ---------------------------------------------------------------- the corpus


def seen(events: Iterable[Event]) -> list[tuple[Any, ...]]:
    """Return events as what can be compared, without the goodbye."""
    found: list[tuple[Any, ...]] = []
    for event in events:
        if isinstance(event, Request):
            facts = (event.method, event.target, event.version, event.expects_continue)
            found.append((*facts, tuple(event.fields)))
        elif isinstance(event, Data):
            found.append((event.data,))
        elif isinstance(event, End):
            found.append(("end", tuple(event.trailers)))
    return found


def promised(requests: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return what the file beside a valid request says, in the same form."""
    found: list[tuple[Any, ...]] = []
    for told in requests:
        facts = tuple(told[name].encode("latin-1") for name in ("method", "target", "version"))
        found.append((*facts, told.get("expects_continue", False), pairs(told["fields"])))
        if told["body"]:
            found.append((told["body"].encode("latin-1"),))
        found.append(("end", pairs(told.get("trailers", []))))
    return found


def pairs(fields: list[list[str]]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in fields)


def arrivals(raw: bytes) -> Iterable[list[bytes]]:
    """Yield ``raw`` whole, byte by byte, and cut in two at every point."""
    yield [raw]
    if len(raw) < 10_000:
        yield bytewise(raw)
    for at in cuts(raw):
        yield [raw[:at], raw[at:]]


def in_lower_case(events: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Undo what h11 does to the name of a transfer coding ("transfer codings")."""
    coding = (b"transfer-encoding", b"Chunked"), (b"transfer-encoding", b"chunked")
    return [
        (*e[:-1], tuple(coding[1] if f == coding[0] else f for f in e[-1])) if len(e) == 5 else e
        for e in events
    ]


@engines
@pytest.mark.parametrize("file", VALID, ids=[f"{file.name} - {file.clause}" for file in VALID])
def test_valid(make: Make, file: Valid) -> None:
    """Every cut gives the same events, and so do bytes behind it (RFC 9112 §2.1, §9.3.2)."""
    wanted = promised(file.requests)
    if make is http1_h11.Connection:
        wanted = in_lower_case(wanted)
    for pieces in arrivals(file.raw):
        events, error = read_until_error(make(), pieces, eof=True)
        assert (seen(events), error) == (wanted, None), pieces
    last = file.requests[-1]
    if last["version"] == "1.1" and ["connection", "close"] not in last["fields"]:
        behind = [(b"GET", b"/next", b"1.1", False, ((b"host", b"a.example"),)), ("end", ())]
        for pieces in ([file.raw + NEXT], bytewise(file.raw + NEXT), [file.raw, NEXT]):
            events, error = read_until_error(make(), pieces, eof=True)
            assert (seen(events), error) == (wanted + behind, None), pieces


@engines
@pytest.mark.parametrize("file", VALID, ids=[file.name for file in VALID])
def test_a_valid_request_cut_short_is_an_error_or_nothing(make: Make, file: Valid) -> None:
    """RFC 9112 §8: an incomplete request is never handed on as a complete one, nor waited for."""
    wanted = seen(read_until_error(make(), file.raw)[0])
    for at in cuts(file.raw):
        events, error = read_until_error(make(), file.raw[:at], eof=True)
        got = seen(events)
        ended = sum(each[0] == "end" for each in got)
        assert got[:-1] == wanted[: max(len(got) - 1, 0)], at
        assert error is not None or (ended == len([e for e in got if len(e) == 5])), at
        assert error is None or error.status == 400, at


@engines
@pytest.mark.parametrize("file", INVALID, ids=[f"{file.status} {file.name}" for file in INVALID])
def test_invalid(make: Make, file: Invalid) -> None:
    """The same refusal whatever the cut (RFC 9112 §2.2), and no request from what lies behind."""
    reason, status = ("", file.status)
    if make is http1_h11.Connection:
        reason, status = H11_DIFFERS.get(file.name, ("", file.status))
        assert not reason or reason in http1_h11.DIFFERENCES
    asked = sum(isinstance(event, Request) for event in read_until_error(make(), file.raw)[0])
    for pieces in arrivals(file.raw):
        events, error = read_until_error(make(), pieces, eof=True)
        assert (error and error.status) == status, pieces
        assert sum(isinstance(event, Request) for event in events) == asked, pieces
        assert not any(isinstance(event, Request) and b"evil" in event.target for event in events)
    if status is None or file.is_cut_off:
        return
    for pieces in (
        [file.raw + SMUGGLED],
        bytewise(file.raw + SMUGGLED)[-400:],
        [file.raw, SMUGGLED],
    ):
        if sum(map(len, pieces)) != len(file.raw + SMUGGLED):
            continue
        events, error = read_until_error(make(), pieces, eof=True)
        targets = [event.target for event in events if isinstance(event, Request)]
        assert (len(targets), b"/smuggled" in targets) == (asked, False), pieces
        assert error is not None, pieces


def test_the_corpus_is_as_large_as_we_say() -> None:
    assert len(VALID) >= 35
    assert len(INVALID) >= 90
    assert {file.status for file in INVALID} >= {400, 413, 414, 417, 431, 501, 505}


def test_every_difference_in_the_corpus_is_one() -> None:
    """A name in the table that no longer differs is taken out of it."""
    by_name = {file.name: file for file in INVALID}
    for name, (_, status) in H11_DIFFERS.items():
        assert by_name[name].status != status
