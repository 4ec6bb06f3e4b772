"""Every clause that the reference cites is cited by a test, and the table in its README is true."""

from __future__ import annotations

import pytest

from workbench import clauses

# Cited beside code as an explanation and not as a duty: there is nothing of theirs to test.
EXPLANATIONS: dict[str, str] = {}


@pytest.mark.parametrize("clause", sorted(clauses.in_code(), key=clauses.order))
def test_a_clause_that_the_code_cites_has_a_test(clause):
    if clause not in EXPLANATIONS:
        assert clauses.in_tests().get(clause), f"no test cites {clause}"


def test_explanations_are_still_cited():
    assert set(EXPLANATIONS) <= set(clauses.in_code())


def test_the_table_in_the_readme_is_current():
    readme = clauses.README.read_text("utf-8")
    assert clauses.with_table(readme) == readme, "run python -m workbench.clauses --write"


def test_citations_are_found_across_lines_and_lists():
    text = "# RFC 9112\n# §2.2, §5.2 say so (PEP 3333, Unicode Issues)."
    found = {"RFC 9112 §2.2", "RFC 9112 §5.2", "PEP 3333, Unicode Issues"}
    assert clauses.citations(text) == found


def test_the_documents_of_asgi_are_cited_by_their_titles():
    text = "(ASGI HTTP 2.5, Response\nBody), ASGI Lifespan 2.0, Startup Failed; ASGI 3.0, Nonsense"
    found = {"ASGI HTTP 2.5, Response Body", "ASGI Lifespan 2.0, Startup Failed"}
    assert clauses.citations(text) == found
