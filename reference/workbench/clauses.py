"""The table clause → code → test, read off the citations in the sources.

A citation is ``RFC 9112 §6.3``, ``PEP 3333, Title of the Section`` or, of the documents of ASGI,
``ASGI HTTP 2.5, Title of the Section``; it stands in the reference
beside the code that obeys it, and in the tests and contracts beside what proves it.  The command
``python -m workbench.clauses --write`` puts the table into ``reference/README.md``.
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "reference" / "README.md"
BEGIN, END = "<!-- clauses: begin -->", "<!-- clauses: end -->"

RFC = re.compile(
    r"RFC\s+(?P<number>\d{4})\s+§(?P<section>\d+(?:\.\d+)*)(?P<more>(?:,\s+§[\d.]*\d)*)"
)
ALSO = re.compile(r"§([\d.]*\d)")

# PEP 3333 has no section numbers: its sections are known by their titles.
SECTIONS = (
    "Specification Details",
    "environ Variables",
    "Input and Error Streams",
    "The start_response() Callable",
    "Handling the Content-Length Header",
    "Buffering and Streaming",
    "Middleware Handling of Block Boundaries",
    "The write() Callable",
    "Unicode Issues",
    "Error Handling",
    "HTTP 1.1 Expect/Continue",
    "Other HTTP Features",
    "Thread Support",
    "Optional Platform-Specific File Handling",
)

# Those of ASGI neither: each document by its name and version, in the order of its sections.
ASGI = {
    "ASGI 3.0": ("Overview", "Extra Coroutines", "Error Handling"),
    "ASGI HTTP 2.5": (
        "HTTP Connection Scope",
        "Request",
        "Response Start",
        "Response Body",
        "Disconnected Client",
        "Disconnect",
        "WSGI Compatibility",
    ),
    "ASGI Lifespan 2.0": (
        "Scope",
        "Lifespan State",
        "Startup",
        "Startup Complete",
        "Startup Failed",
        "Shutdown",
        "Shutdown Complete",
        "Shutdown Failed",
    ),
    "ASGI TLS Extension 0.2": ("TLS Connection Scope",),
    "ASGI Extensions": ("HTTP Trailers", "Early Hints"),
}
TITLES = {
    document: re.compile(rf"{document}, ({'|'.join(sorted(titles, key=len, reverse=True))})\b")
    for document, titles in ASGI.items()
}


def citations(text: str) -> set[str]:
    """Return the clauses that a text cites.

    >>> sorted(citations("RFC 9112 §2.2, §5.2 and PEP 3333, Unicode Issues"))
    ['PEP 3333, Unicode Issues', 'RFC 9112 §2.2', 'RFC 9112 §5.2']
    """
    text = " ".join(line.strip().lstrip("# ") for line in text.splitlines())
    found: set[str] = set()
    for match in RFC.finditer(text):
        sections = [match["section"], *ALSO.findall(match["more"])]
        found.update(f"RFC {match['number']} §{section}" for section in sections)
    if "PEP 3333" in text:
        found.update(f"PEP 3333, {title}" for title in SECTIONS if title in text)
    for document, pattern in TITLES.items():
        found.update(f"{document}, {title}" for title in pattern.findall(text))
    return found


def cited_in(paths: Iterable[Path]) -> dict[str, list[str]]:
    """Return for each clause the names of the files that cite it."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(paths):
        for clause in citations(path.read_text("utf-8")):
            found[clause].append(path.stem)
    return found


def in_code() -> dict[str, list[str]]:
    """Return for each clause the modules of the reference that obey it."""
    return cited_in((ROOT / "reference" / "handmade").glob("*.py"))


def in_tests() -> dict[str, list[str]]:
    """Return for each clause the tests and contracts that prove it."""
    contracts = (ROOT / "reference" / "workbench" / "contracts").glob("[a-z]*.py")
    tests = (ROOT / "tests").rglob("test_*.py")
    return cited_in([*contracts, *(path for path in tests if path.stem != "test_clauses")])


def order(clause: str) -> tuple[str, list[int], int]:
    """Sort clauses by document, then by section."""
    document, _, section = clause.partition(" §")
    numbers = [int(part) for part in section.split(".")] if section else []
    document, _, title = document.partition(", ")
    titles = ASGI.get(document, SECTIONS)
    return document, numbers, titles.index(title) if title in titles else 0


def table() -> str:
    """Return the table as Markdown."""
    code, tests = in_code(), in_tests()
    rows = ["| clause | code | test |", "|---|---|---|"]
    for clause in sorted(code, key=order):
        where = ", ".join(f"`{name}`" for name in code[clause])
        proof = ", ".join(f"`{name}`" for name in tests.get(clause, []))
        rows.append(f"| {clause} | {where} | {proof} |")
    return "\n".join(rows)


def with_table(readme: str) -> str:
    """Return the README with the table put in anew."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description="The table clause, code, test.")
    parser.add_argument("--write", action="store_true", help="put it into reference/README.md")
    if parser.parse_args().write:
        README.write_text(with_table(README.read_text("utf-8")), "utf-8")
    else:
        print(table())


if __name__ == "__main__":
    main()
