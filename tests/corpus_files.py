"""The corpus: raw requests, stored byte for byte; the file name is the sentence.

``corpus/valid/*.http`` stands beside a ``.json`` with the clause and the requests that are in it.
``corpus/invalid/*.<status>.http`` must be refused with that status, however it arrives.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).resolve().parent / "corpus"


@dataclass(frozen=True)
class Valid:
    name: str
    raw: bytes
    clause: str
    requests: list[dict[str, Any]] = field(repr=False)


@dataclass(frozen=True)
class Invalid:
    name: str
    raw: bytes
    status: int

    @property
    def is_cut_off(self) -> bool:
        """Only the client's leaving makes it invalid: more bytes might mend it."""
        return self.name.startswith("the client")


def load_valid() -> list[Valid]:
    found = []
    for path in sorted((CORPUS / "valid").glob("*.http")):
        told = json.loads(path.with_suffix(".json").read_text("ascii"))
        found.append(Valid(path.stem, path.read_bytes(), told["clause"], told["requests"]))
    return found


def load_invalid() -> list[Invalid]:
    found = []
    for path in sorted((CORPUS / "invalid").glob("*.http")):
        name, _, status = path.stem.rpartition(".")
        found.append(Invalid(name, path.read_bytes(), int(status)))
    return found


def cuts(raw: bytes, most: int = 300) -> list[int]:
    """Return every place to cut a short request, and a sample of those of a long one."""
    if len(raw) <= most:
        return list(range(1, len(raw)))
    edges = {*range(1, 40), *range(len(raw) - 20, len(raw)), 8190, 8191, 8192, 8193, 65535, 65536}
    step = max(len(raw) // 40, 1)
    return sorted(at for at in edges | set(range(1, len(raw), step)) if 0 < at < len(raw))
