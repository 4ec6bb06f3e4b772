"""Is what is shown the reference's source, and is what is on the wire shown as it is?"""

from __future__ import annotations

import inspect
import textwrap

import pytest

from handmade import http1, http1_states
from handmade.http1_chunked import ChunkedReader
from workbench.show import dialogue, raw, show


def test_a_method_is_shown_from_the_file():
    shown = repr(show(http1.Connection.next_event))
    header, empty, source = shown.split("\n", 2)
    assert header == "reference/handmade/http1.py: Connection.next_event"
    assert empty == ""
    assert source == textwrap.dedent(inspect.getsource(http1.Connection.next_event)).rstrip()


def test_a_class_is_shown_by_object_and_by_name():
    assert repr(show(ChunkedReader)) == repr(show("http1_chunked.ChunkedReader"))
    assert repr(show(http1.Connection.owes_continue)) == repr(
        show("http1.Connection.owes_continue")
    )
    assert "@property" in repr(show("http1.Connection.owes_continue"))
    assert repr(show(http1_states)).startswith("reference/handmade/http1_states.py\n\n")


def test_a_table_is_shown_with_the_picture_above_it():
    shown = repr(show("http1_states.WRITING"))
    assert "# The response's side:" in shown
    assert "WRITING: dict" in shown
    assert "READING" not in shown


def test_several_things_and_parts_of_them():
    assert repr(show("events.Data", "events.End")).count("reference/handmade/events.py: ") == 2
    part = repr(show("http1.Connection.next_event", lines=("try:", "raise")))
    assert part.splitlines()[2] == "try:"
    assert part.splitlines()[-1].strip() == "raise"
    with pytest.raises(LookupError, match="no line has"):
        show("events.Data", lines=("nothing of the kind", ""))


def test_a_function_of_ones_own_is_shown_too():
    assert repr(show(test_several_things_and_parts_of_them)).startswith("tests/test_show.py: test_")


def test_what_is_not_there_is_said():
    with pytest.raises(LookupError, match="Nobody"):
        show("http1.Nobody")
    with pytest.raises(LookupError, match="no module"):
        show("nothing.here")
    with pytest.raises(TypeError, match="takes a function"):
        show(3)


def test_the_html_stands_without_styles_and_numbers():
    html = show("events.Data")._repr_html_()
    assert '<a href="../reference/handmade/events.py">' in html
    assert "<pre" in html
    assert "class=" not in html
    assert "style=" in html


REQUEST = b"POST /a HTTP/1.1\r\nHost: a\r\nAuthorization: Basic c2VjcmV0\r\n\r\nbody\\\x00"


def test_a_request_line_by_line():
    assert repr(raw(REQUEST, {0: "request line", b"\r\n": "the end of the head"})) == (
        r"""
 0  POST /a HTTP/1.1\r\n  <- request line
18  Host: a\r\n
27  Authorization: <hidden>\r\n
58  \r\n                  <- the end of the head
60  body\\\x00""".lstrip("\n")
    )


def test_marks_stand_below_what_they_mark():
    shown = repr(raw(b"a: b\r\n\r\nGET", mark=b"\r\n"))
    assert shown.splitlines() == [
        r"0  a: b\r\n",
        "       ^^^^",
        r"6  \r\n",
        "   ^^^^",
        "8  GET",
    ]
    assert repr(raw(b"abc", mark=[(1, 2)])) == "0  abc\n    ^"


def test_a_bare_line_feed_and_a_lone_return_are_seen():
    assert repr(raw(b"a\nb\rc\r\n")) == "0  a\\n\n2  b\\rc\\r\\n"


def test_a_long_line_is_cut_not_lost():
    rows = raw(b"x" * 100 + b"\r\n" + b"y" * 76 + b"\r\n").rows
    assert [row.offset for row in rows] == [0, 76, 102]
    assert rows[-1].text == "y" * 76 + r"\r\n"


def test_bytes_that_are_no_text_are_hex():
    shown = repr(raw(bytes([0x81, 0x05]) + bytes(range(0x80, 0x90)), {0: "the first frame"}))
    assert shown.splitlines()[0] == (
        " 0  81 05 80 81 82 83 84 85  86 87 88 89 8a 8b 8c 8d  ................  <- the first frame"
    )
    assert repr(raw(b"plain", form="hex")).startswith("0  70 6c 61 69 6e  ")


@pytest.mark.parametrize(
    "field",
    [
        b"Authorization: Bearer SECRET",
        b"authorization:SECRET",
        b"Proxy-Authorization: Basic SECRET",
        b"Cookie: a=b; _xsrf=SECRET",
        b"Cookie: jupyterhub-user-ada=SECRET; c=d",
    ],
)
@pytest.mark.parametrize("cut", [3, 20, 27, 40])
def test_no_secret_is_ever_shown(field, cut):
    data = b"GET / HTTP/1.1\r\n" + field + b"\r\nHost: a\r\n\r\n"
    at = 16 + min(cut, len(field) - 2)
    talk = dialogue([("client", data[:at]), ("client", data[at:]), ("server", b"HTTP/1.1 200\r\n")])
    for shown in (raw(data), raw(data, mark=b"SECRET"), raw(data, width=20), talk):
        assert "SECRET" not in repr(shown) + shown._repr_html_()
        assert "ECRE" not in repr(shown) + shown._repr_html_()
        assert "<hidden>" in repr(shown)


def test_no_secret_in_hex():
    assert "SECRET" not in repr(raw(b"Authorization: SECRET\r\n", form="hex"))
    assert b"SECRET".hex(" ")[:8] not in repr(raw(b"Authorization: SECRET\r\n", form="hex"))


def test_a_dialogue_has_two_sides_and_remarks():
    turns = [
        ("client", b"GET / HTTP/1.1\r\nHo"),
        "a pause",
        (">", b"st: a\r\n"),
        ("<", b"HTTP/1.1 200"),
    ]
    assert repr(dialogue(turns)) == (
        "C: GET / HTTP/1.1\\r\\n\nC: Ho\n   (a pause)\nC: st: a\\r\\n\nS: HTTP/1.1 200"
    )
    assert dialogue(turns)._repr_html_().startswith("<table><tr><th>client</th>")


def test_html_is_escaped():
    assert "&lt;b&gt;" in raw(b"<b>")._repr_html_()
    assert "<b>" not in dialogue([("client", b"<b>"), "<b>"])._repr_html_()
