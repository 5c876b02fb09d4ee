"""Problems: the one table from what went wrong to what a client is told."""

from pathlib import Path

import pytest

from adapters import errors as crm
from bridge.api import problem_list
from bridge.errors import KINDS, FieldError, Problem, from_crm


def leaves(kind: type[crm.CrmError]) -> list[type[crm.CrmError]]:
    """Every error class below `kind`, itself included."""
    return [kind, *(leaf for below in kind.__subclasses__() for leaf in leaves(below))]


@pytest.mark.parametrize("kind", leaves(crm.CrmError))
def test_every_crm_error_is_a_problem(kind: type[crm.CrmError]) -> None:
    """No CRM error is without a line of its own kind in the table."""
    problem = from_crm(kind())
    assert problem.type in KINDS
    assert (problem.kind.status >= 500) == (not issubclass(kind, crm.Refused))


def test_throttled_carries_the_crms_own_wait() -> None:
    """A throttled CRM's Retry-After reaches the client."""
    assert from_crm(crm.Throttled(retry_after=17.2)).retry_after == 17.2


def test_an_invalid_field_is_named_and_nothing_else() -> None:
    """A refused value is told by the canonical field's name."""
    problem = from_crm(crm.Invalid("0x80060000", ("email",)))
    assert problem.document()["errors"] == [{"pointer": "/email", "code": "refused"}]
    assert "0x80060000" not in str(problem.document())


def test_a_document_has_the_members_of_rfc_9457() -> None:
    """type, title, status and detail are there, `errors` only where places are known."""
    document = Problem("validation", [FieldError("/email", "malformed")]).document()
    assert {"type", "title", "status", "detail", "errors"} == set(document)
    assert "errors" not in Problem("not-found").document()


def test_what_passes_by_itself_says_when_to_come_back() -> None:
    """Each 429, 502 and 503 has a Retry-After."""
    assert all(k.retry_after for k in KINDS.values() if k.status in (429, 502, 503))


def test_the_list_in_docs_is_the_table() -> None:
    """docs/problems.md is what `python -m bridge.api.problem_list` writes."""
    written = Path(__file__).parents[2] / "docs" / "problems.md"
    assert written.read_text() == problem_list.render()
