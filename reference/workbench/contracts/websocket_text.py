"""The WebSocket contract, part two: text is UTF-8, and is checked as it comes."""

from __future__ import annotations

from handmade.websocket import Binary, Text

from . import case
from .websocket_frames import Surface, bytewise, fails, gets, masked, read, same

WORDS = "aé€𝄞"  # characters of one, two, three and four bytes
# Bytes that begin no character, or not the one that follows, and at which byte that shows.
WRONG = {
    "a byte that begins nothing": (b"\x80", 1),
    "a byte that is never there": (b"\xff", 1),
    "an overlong slash": (b"\xc0\xaf", 1),
    "an overlong slash of three bytes": (b"\xe0\x80\xaf", 2),
    "an overlong slash of four bytes": (b"\xf0\x80\x80\xaf", 2),
    "a surrogate": (b"\xed\xa0\x80", 2),
    "a character beyond the last one": (b"\xf4\x90\x80\x80", 2),
    "a byte that begins no character any more": (b"\xf5\x80\x80\x80", 1),
    "a character that breaks off": (b"\xe2\x82a", 3),
}


@case("websocket", "text of all lengths", "RFC 6455 §5.6", 12)
def text_of_all_lengths(ws: Surface) -> None:
    """Text is UTF-8: characters of one to four bytes, NUL and the last one."""
    for text in (WORDS, "\0", "\U0010ffff", "\ufeffmarked", "κόσμε", WORDS * 100):
        gets(ws.Connection(), masked(0x81, text.encode()), Text(text))


@case("websocket", "a character across fragments", "RFC 6455 §5.6", 12)
def a_character_across_fragments(ws: Surface) -> None:
    """A fragment may end within a character: only the message is UTF-8."""
    raw = WORDS.encode()
    for cut in range(1, len(raw)):
        frames = masked(0x01, raw[:cut]) + masked(0x80, raw[cut:])
        gets(ws.Connection(), frames, Text(WORDS))
    single = [masked(0x00, byte) for byte in bytewise(raw)]
    gets(ws.Connection(), masked(0x01) + b"".join(single) + masked(0x80), Text(WORDS))


@case("websocket", "text that is no UTF-8", "RFC 6455 §8.1", 12)
def text_that_is_no_utf8(ws: Surface) -> None:
    """Text that is no UTF-8 fails with 1007, in one frame and in fragments."""
    for what, (wrong, _) in WRONG.items():
        fails(ws.Connection(), masked(0x81, b"Hi " + wrong), 1007, why=what)
        frames = masked(0x01, b"Hi ") + masked(0x00, wrong[:1]) + masked(0x80, wrong[1:])
        fails(ws.Connection(), frames, 1007, why=what)


@case("websocket", "text that breaks off", "RFC 6455 §8.1", 12)
def text_that_breaks_off(ws: Surface) -> None:
    """A message that ends within a character fails with 1007."""
    for part in (b"\xc3", b"\xe2\x82", b"\xf0\x9d\x84"):
        fails(ws.Connection(), masked(0x81, b"Hi " + part), 1007)
        fails(ws.Connection(), masked(0x01, b"Hi ") + masked(0x80, part), 1007)
        fails(ws.Connection(), masked(0x01, part) + masked(0x80), 1007)


@case("websocket", "wrong text fails fast", "RFC 6455 §8.1", 12)
def wrong_text_fails_fast(ws: Surface) -> None:
    """The first byte that cannot belong to UTF-8 ends it, in the middle of a frame or message."""
    for what, (wrong, shows) in WRONG.items():
        begun = masked(0x81, b"Hi " + wrong + b" and more")[: 6 + 3 + shows]
        fails(ws.Connection(), [begun], 1007, why=f"{what}, in a frame that is not complete")
        fails(ws.Connection(), masked(0x01, wrong[:shows]), 1007, why=f"{what}, in a fragment")
        early = read(ws.Connection(), begun[:-1])
        same(f"{what} is refused before it shows", early, ([], None), begun[:-1])


@case("websocket", "binary is not text", "RFC 6455 §5.6", 12)
def binary_is_not_text(ws: Surface) -> None:
    """A binary message may hold what would be wrong in text."""
    for wrong, _ in WRONG.values():
        gets(ws.Connection(), masked(0x82, wrong), Binary(wrong))
        gets(ws.Connection(), masked(0x02, wrong) + masked(0x80, b"\xc3"), Binary(wrong + b"\xc3"))
