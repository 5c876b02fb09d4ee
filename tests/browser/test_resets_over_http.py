"""A forgotten password on the hosted pages, over plain HTTP; no browser is needed."""

from collections.abc import Iterator

import pytest
import requests

from tests.browser.stage import Stage
from tests.browser.steps import PASSWORD, fresh_number
from tests.browser.test_over_http import Person

NEW = "lantern-tide-94"


@pytest.fixture
def number(site: Stage) -> str:
    """Of a member with PASSWORD."""
    person, number = Person(site), fresh_number()
    person.prove(number)
    assert person.details().status_code == 303
    for key in site.redis.do("KEYS", "otp:to:*"):  # a minute passes
        site.redis.do("DEL", key)
    site.post.sent.clear()
    return number


@pytest.fixture
def visitor(site: Stage) -> Iterator[Person]:
    yield Person(site)


def can_sign_in(site: Stage, identifier: str, password: str) -> bool:
    """In a browser of its own."""
    done = Person(site).post("/sign-in", identifier=identifier, password=password)
    return done.status_code == 303


def give_email(site: Stage, number: str, email: str) -> None:
    """A verified e-mail beside the mobile."""
    keys = site.parts.identity_keys
    mobile = site.crm.get("identity", keys.id("mobile", f"+86{number}"), ["member"])
    member, id = mobile.record["member"], keys.id("email", email)
    bound = {"member": member, "member_text": member, "mac": keys.mac(id, member)}
    site.crm.create("identity", id, {"kind": "email", "value": email} | bound)


def opened(visitor: Person, site: Stage, email: str) -> requests.Response:
    """The link that came, opened in another browser than the one that asked."""
    visitor.post("/reset", identifier=email)
    return Person(site).get(site.mailed(email), allow_redirects=False)


def test_a_code_gives_a_new_password(site: Stage, number: str, visitor: Person) -> None:
    """Number, code, password: the new one signs in, the old one doesn't, and nobody is in yet."""
    assert visitor.post("/reset", identifier=number).headers["Location"] == "/reset/code"
    sent = visitor.post("/reset/code", code=site.code(f"+86{number}"))
    assert sent.headers["Location"] == "/reset/password"
    done = visitor.post("/reset/password", password=NEW)
    assert "Your password is changed" in done.text
    assert visitor.get("/signed-in", allow_redirects=False).headers["Location"] == "/sign-in"
    assert can_sign_in(site, number, NEW)
    assert not can_sign_in(site, number, PASSWORD)


def test_a_link_gives_a_new_password_once(site: Stage, number: str, visitor: Person) -> None:
    """Opening it uses nothing up and leaves no token in the address; setting a password does."""
    email = f"li.{number}@example.com"
    give_email(site, number, email)
    assert opened(visitor, site, email).headers["Location"] == "/reset/password"
    path = site.mailed(email)
    first, second = Person(site), Person(site)
    for person in (first, second):
        assert "Your new password" in person.get(path).text
    assert "is changed" in first.post("/reset/password", password=NEW).text
    late = second.post("/reset/password", password="another-one-77")
    assert late.headers["Location"] == "/reset"
    assert can_sign_in(site, number, NEW)
    assert not can_sign_in(site, number, "another-one-77")


def test_the_pages_tell_nobody_who_is_a_member(site: Stage, number: str, visitor: Person) -> None:
    """The answer to the first step is the same for anybody's address."""
    email = f"li.{number}@example.com"
    give_email(site, number, email)
    places = [
        (answer.status_code, answer.headers["Location"])
        for each in (email, "nobody@example.com", number, fresh_number())
        for answer in [visitor.post("/reset", identifier=each)]
    ]
    assert places == [(303, "/reset/sent")] * 2 + [(303, "/reset/code")] * 2


def test_a_number_alone_is_not_enough_beside_an_email(
    site: Stage, number: str, visitor: Person
) -> None:
    """The page says so after the code; with the link in the same browser both are enough."""
    email = f"li.{number}@example.com"
    give_email(site, number, email)
    visitor.post("/reset", identifier=number)
    visitor.post("/reset/code", code=site.code(f"+86{number}"))
    refused = visitor.post("/reset/password", password=NEW)
    assert "One more step" in refused.text
    assert email not in refused.text
    assert not can_sign_in(site, number, NEW)
    visitor.post("/reset", identifier=email)
    visitor.get(site.mailed(email))
    assert "is changed" in visitor.post("/reset/password", password=NEW).text


def test_a_weak_password_is_told_in_place(site: Stage, number: str, visitor: Person) -> None:
    """Nothing is used up by it."""
    visitor.post("/reset", identifier=number)
    visitor.post("/reset/code", code=site.code(f"+86{number}"))
    assert visitor.post("/reset/password", password="short").status_code == 422
    assert "is changed" in visitor.post("/reset/password", password=NEW).text


@pytest.mark.parametrize("path", ["/reset/password", "/reset/link?token=made-up"])
def test_without_a_proof_one_starts_again(visitor: Person, path: str) -> None:
    """No link, or one that isn't ours, leads to the first step, which says so."""
    page = visitor.get(path)
    assert page.url.endswith("/reset")
    assert "can no longer be used" in page.text


def test_what_is_no_address_is_told_in_place(visitor: Person) -> None:
    """Neither a number nor an e-mail."""
    answer = visitor.post("/reset", identifier="li wei")
    assert answer.status_code == 422
    assert "Please enter a mobile number or an e-mail address." in answer.text
