"""Joining with a number that stands on a record already, over plain HTTP; no browser is needed."""

from collections.abc import Iterator

import pytest

from tests.browser.stage import Stage
from tests.browser.steps import fresh_number
from tests.browser.test_over_http import Person


@pytest.fixture
def knowing(site: Stage) -> Iterator[Stage]:
    """A site that knows claims, for one test."""
    site.parts.settings.claims.enabled = True
    yield site
    site.parts.settings.claims.enabled = False


def test_a_record_that_waits_is_told_and_no_second_one_is_made(knowing: Stage) -> None:
    """Whoever proved its number is told where to go, and sees nothing of it."""
    number, before = fresh_number(), len(knowing.members())
    id = "50000000-0000-4000-8000-000000000005"
    record = {"mobile": f"+86{number}", "given_name": "Imported", "state": "active"}
    knowing.crm.create("member", id, record)
    person = Person(knowing)
    person.prove(number)
    answer = person.details()
    assert answer.status_code == 409
    assert "We know this number already" in answer.text
    assert "Imported" not in answer.text
    assert len(knowing.members()) == before + 1
