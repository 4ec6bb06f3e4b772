"""Do turns come out as they were, and duels as they must?"""

from __future__ import annotations

import pytest

from handmade.loop import Loop
from handmade.loop_time import sleep
from workbench.duel import duel, duels
from workbench.turns import Turns


class Jumping(Loop):
    """A loop whose clock jumps to the next timer."""

    now = 0.0

    def time(self):
        return self.now

    def _wait(self, seconds):
        self.now += seconds


async def nap(seconds):
    await sleep(seconds)


def test_turns_are_drawn_in_their_order():
    loop = Jumping()
    turns = Turns(loop.time)

    async def bad():
        await nap(1)
        raise LookupError("on purpose")

    async def main():
        tasks = [loop.create_task(turns("A", nap(2))), loop.create_task(turns("B", bad()))]
        for task in tasks:
            await task

    with pytest.raises(LookupError):
        loop.run(turns("main", main()))
    assert turns.order == "main A B B A main"
    assert turns.picture("Two").text == "\n".join(
        [
            "Two",
            "time  0 s                         1 s           2 s",
            "main   ██~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~  ██✗",
            "A             ██~~~~~~~~~~~~~~ sleep ~~~~~~~~~~  ██.",
            "B                    ██~~~~ sleep  ██✗",
            "█ has the loop   ~ waits for   . has ended   ✗ has ended with an error",
        ]
    )
    assert turns.picture().alt.startswith("Who had the loop. In order: main waits; A waits for")
    assert turns.picture()._repr_png_().startswith(b"\x89PNG")


def test_a_picture_of_nothing():
    assert Turns().picture("Nothing").text.startswith("Nothing\n█ has")
    assert Turns().picture("Nothing")._repr_png_().startswith(b"\x89PNG")


def test_what_is_thrown_in_is_marked():
    turns = Turns()
    coroutine = turns("A", nap(1))
    coroutine.close()
    other = turns("B", nap(1))
    with pytest.raises(LookupError):
        other.throw(LookupError())
    assert "!██✗" in turns.picture().text
    assert "B gets LookupError and fails LookupError" in turns.picture().alt


def test_a_blocking_server_loses_its_duels():
    def serve(listener):
        while True:
            sock, _ = listener.accept()
            with sock:
                while data := sock.recv(1000):
                    sock.sendall(b"answer\n" * data.count(b"\r\n\r\n"))

    seen = duel(serve)
    assert seen.alone
    assert not seen.silent
    assert not seen.greedy
    assert seen.rate > 100
    assert duels(seen).text.count("no answer") == 2
    assert duels(seen)._repr_png_().startswith(b"\x89PNG")
