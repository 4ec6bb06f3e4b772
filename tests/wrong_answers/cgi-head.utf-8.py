# trips: a byte beyond ASCII
from __future__ import annotations


def read_output(printed: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return status, headers and body."""
    status, headers = "", []
    while True:
        line, newline, printed = printed.partition(b"\n")
        if not newline:
            raise ValueError("the head has no end")
        text = line.removesuffix(b"\r").decode("utf-8", "replace")
        if not text:
            break
        name, colon, value = text.partition(":")
        if not colon or not name or " " in name:
            raise ValueError(f"{text!r} is no field")
        if name.lower() == "status":
            status = value.strip()
        else:
            headers.append((name, value.strip()))
    moved = any(name.lower() == "location" for name, _ in headers)
    return status or ("302 Found" if moved else "200 OK"), headers, printed
