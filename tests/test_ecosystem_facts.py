"""What is known of servers and frameworks agrees with what is installed here."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import pytest

from workbench.ecosystem import facts
from workbench.ecosystem.facts import FACTS, Fact, describe, fact_of
from workbench.ecosystem.servers import SERVERS

PACKAGED = [name for name, fact in FACTS.items() if fact.package]


def distribution(fact: Fact) -> importlib.metadata.Distribution:
    return importlib.metadata.distribution(fact.package)


def licence_told(fact: Fact) -> str:
    """Return what a distribution says of its licence: an SPDX expression, or older words."""
    told = distribution(fact).metadata
    return told["License-Expression"] or (told["License"] or "").splitlines()[0]


def family(words: str) -> tuple[str, str]:
    """Return the letters that a licence begins with, and its first digit: ("ZPL", "2")."""
    letters = re.match(r"[A-Za-z]+", words)
    digit = re.search(r"\d", words)
    return (letters[0].upper() if letters else "", digit[0] if digit else "")


@pytest.mark.parametrize("name", PACKAGED)
def test_the_licence_is_the_packages(name):
    known, told = family(FACTS[name].licence), family(licence_told(FACTS[name]))
    assert known[0] == told[0]
    assert told[1] in ("", known[1])


@pytest.mark.parametrize("name", PACKAGED)
def test_the_year_stands_where_it_is_said_to_stand(name):
    fact = FACTS[name]
    if fact.since is None or "licence" not in fact.since[1]:
        return
    files = [each for each in distribution(fact).files or [] if "LICEN" in str(each).upper()]
    text = "".join(each.read_text() for each in files)
    years = re.findall(r"(?:copyright|\(c\))[^\n]*?\b((?:19|20)\d\d)|^((?:19|20)\d\d)[^\n]*\(c\)",
                       text, re.IGNORECASE | re.MULTILINE)  # fmt: skip
    assert str(fact.since[0]) == min(first or second for first, second in years)


@pytest.mark.parametrize("name", PACKAGED)
def test_what_is_worth_reading_is_in_the_installed_package(name):
    fact = FACTS[name]
    there = {str(each) for each in distribution(fact).files or []}
    for path, _why in fact.reading:
        if path.endswith(".py"):
            assert path.removeprefix("src/") in there


def test_wsgiref_is_where_it_is_said_to_be():
    import wsgiref

    for path, _why in FACTS["wsgiref"].reading:
        assert (Path(wsgiref.__file__).parent / Path(path).name).exists()


@pytest.mark.parametrize("name", PACKAGED)
def test_the_home_is_one_that_the_package_names(name):
    told = distribution(FACTS[name]).metadata
    urls = [*(told.get_all("Project-URL") or []), told["Home-page"] or ""]
    if not any(urls):
        return  # Hypercorn's names none
    host = re.sub(r"^https?://", "", FACTS[name].home).partition("/")[0]
    assert any(host in each for each in urls)


@pytest.mark.parametrize("name", FACTS)
def test_every_link_is_of_the_installed_version(name):
    fact = FACTS[name]
    for link, why in fact.links:
        assert re.fullmatch(r"https://github\.com/[\w-]+/[\w-]+(/blob/v?\d[\w.]*/[\w./-]+)?", link)
        assert ".post" not in link
        assert why
        if fact.version:
            assert fact.version.removesuffix(".post1") in link


def test_every_server_is_known_and_nothing_else():
    frameworks = {"flask", "django", "starlette", "quart", "fastapi"}
    rows = {fact_of(name).name for name, server in SERVERS.items() if not server.ours}
    assert rows | frameworks == set(FACTS)


def test_what_is_known_of_servers_follows_the_catalogue():
    for name, fact in facts.known_rows().items():
        server = SERVERS[name]
        assert fact.package in ("", server.packages[0] if server.packages else "")
        if not server.missing:
            assert server.version.startswith(fact.version)


def test_describe_shows_everything_in_narrow_lines():
    text = str(describe("gunicorn-gthread"))
    assert text.startswith("Gunicorn: a pre-fork server for Unix")
    assert "licence: MIT" in text
    assert "blob/" + FACTS["gunicorn"].version + "/gunicorn/arbiter.py" in text
    for name in FACTS:
        for line in str(describe(name)).splitlines():
            assert len(line) <= 120 if "https://" in line else len(line) <= facts.WIDTH
    assert repr(describe("flask")) == str(describe("flask"))


def test_describe_of_what_is_not_installed_links_to_the_repository():
    fact = Fact("x", "X", "what", "no-such-package", "MIT", "Python", "none", "https://x.example",
                "https://github.com/x/x", "{version}", (("a.py", "why"),))  # fmt: skip
    assert fact.version == ""
    assert fact.links == [("https://github.com/x/x", "its source")]


def test_describe_of_an_unknown_name_lists_those_there_are():
    with pytest.raises(LookupError, match="nothing is known of 'nginx': there are gunicorn"):
        describe("nginx")
