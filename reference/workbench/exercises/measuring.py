"""What checks of speed need: bursts, and ratios that hold on a machine that does other things too.

Seconds mean nothing on a busy machine, so nothing is judged by seconds: what is compared runs in
turns, and the best of each counts. One turn may be luck, and two: a ratio must hold over three,
unless they have twice of it.
"""

from __future__ import annotations

from collections.abc import Callable

from workbench.contracts import Broken
from workbench.load import LoadResult, load
from workbench.running import Server

TRIES = 6
ENOUGH = 3  # turns: who is below `HOPELESS` of the ratio then will not reach it
HOPELESS = 0.6
PATIENCE = 5.0  # seconds for one answer


def burst(server: Server, number: int, path: str = "/") -> float:
    """Let so many clients ask once, in the same moment; return the seconds until all are answered.

    Raise Broken when somebody gets no answer, or another one than 200.
    """
    run = load(server, number, requests=number, path=path, keep_alive=False, timeout=PATIENCE)
    answered(server, run, f"{number} clients who ask at once")
    return run.elapsed


def answered(server: Server, run: LoadResult, who: str) -> None:
    """Raise Broken when a run has failures, or another status than 200."""
    fine = run.statuses.get(200, 0)
    if fine == len(run.records) - run.unfinished:
        return
    wrong = [f"{count} x {status}" for status, count in run.statuses.items() if status != 200]
    wrong += [f"{count} {reason}" for reason, count in run.errors.items()]
    said = next((line for line in reversed(server.log) if "Error" in line), "")
    raise Broken(
        f"{who}: {fine} got a 200, the others {', '.join(wrong)}"
        + f"; the log says: {said}" * bool(said)
    )


def faster(
    yours: Callable[[], float], theirs: Callable[[], float], ratio: float, what: str, whose: str
) -> None:
    """Demand that ``yours`` takes at most 1/``ratio`` of the seconds of ``theirs``.

    Both are called in turns, up to `TRIES` times; ``whose`` names the other one.
    """
    best, other = float("inf"), float("inf")
    for turn in range(TRIES):
        other = min(other, theirs())
        best = min(best, yours())
        if other >= ratio * best * (1 if turn + 1 >= ENOUGH else 2):
            return
        if turn + 1 >= ENOUGH and other < HOPELESS * ratio * best:
            break
    times = other / best
    raise Broken(
        f"{what}: {whose} takes {other:.2f} s, yours {best:.2f} s in the same run, so it is "
        f"{times:.1f} times as fast; {ratio:.3g} is wanted"
    )
