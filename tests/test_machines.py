"""Are the state machines drawn as the tables have them?"""

from __future__ import annotations

from enum import Enum

import pytest

from handmade import http1, http1_h11
from handmade.http1_states import READING, WRITING, Reading, Writing
from workbench.machines import draw, trace

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_the_text_is_the_table():
    assert repr(draw(READING)) == (
        """
  Reading  Request  Closed  Data    End
  HEAD     BODY     CLOSED  .       .       waiting for a head
  BODY     .        .       BODY    DONE    reading the body
  DONE     .        .       .       .       the request is complete
  CLOSED   .        .       .       .       the client has said goodbye
  FAILED   .        .       .       .       the client broke the protocol
  DONE, next request: HEAD
  any state, PeerError: FAILED""".lstrip("\n")
    )


def test_the_state_and_the_way_to_it_are_lit():
    text = repr(draw(WRITING, lit=[Writing.IDLE, Writing.OWED]))
    assert [line[0] for line in text.splitlines()] == [" ", "*", ">", " ", " ", " ", " "]
    assert repr(draw(WRITING, lit=Writing.BODY)).splitlines()[3].startswith("> BODY")
    alone, lit = draw(READING)._repr_png_(), draw(READING, lit=Reading.BODY)._repr_png_()
    assert alone != lit
    assert alone == draw(READING)._repr_png_()


@pytest.mark.parametrize("table", [READING, WRITING])
def test_every_move_is_in_the_picture_and_in_its_alt_text(table):
    picture = draw(table)
    assert picture._repr_png_()[:4] == b"\x89PNG"
    for (state, event), target in table.items():
        moves = [
            part for part in picture.alt.split("; ") if f"{state.name} to {target.name}" in part
        ]
        assert any(event.__name__ in move for move in moves)


def test_another_machine_is_drawn_too():
    class Light(Enum):
        RED = "stop"
        GREEN = "go"

    class Tick:
        pass

    table = {(Light.RED, Tick): Light.GREEN, (Light.GREEN, Tick): Light.RED}
    assert repr(draw(table, title="A light")).splitlines()[1].split() == ["RED", "GREEN", "stop"]
    assert draw(table, places={Light.GREEN: (1, 1)})._repr_png_()[:4] == b"\x89PNG"


def test_a_trace_tells_the_states_in_order():
    assert repr(trace(http1.Connection, GET)) == (
        r"""
                                           reading  writing
at first                                   HEAD     IDLE
receive GET / HTTP/1.1\r\nHost: a\r\n\r\n  HEAD     IDLE
  Request                                  BODY     OWED
  End                                      DONE     OWED
  PAUSED                                   DONE     OWED
  send Response                            DONE     BODY
  send End                                 HEAD     IDLE
  NEED_DATA                                HEAD     IDLE""".lstrip("\n")
    )


def test_a_trace_gives_a_way_to_light():
    taken = trace(None, [GET + GET[:9]], half_close=True)
    assert taken.steps[-1].what == "  PeerError 400"
    names = [state.name for state in taken.reading]
    assert names == ["HEAD", "BODY", "DONE", "HEAD", "FAILED"]
    assert repr(draw(READING, lit=taken.reading)).count("*") == 4
    assert taken.writing[-1] is Writing.OWED


def test_a_trace_stops_at_the_answer_when_told():
    assert trace(None, GET, answer=False).steps[-1].what == "  PAUSED"


def test_a_used_engine_goes_on():
    connection = http1.Connection()
    connection.receive(GET)
    assert trace(connection, b"", answer=False).steps[-1].reading is Reading.DONE


def test_an_engine_without_our_states_is_traced_by_its_events():
    text = repr(trace(http1_h11.Connection, GET))
    assert "  PAUSED" in text
    assert text.splitlines()[3].split() == ["Request", "-", "-"] or "BODY" in text
