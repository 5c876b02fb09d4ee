"""A second factor on the hosted pages, over plain HTTP; no browser is needed."""

from urllib.parse import urlsplit

from tests.browser.stage import Stage
from tests.browser.steps import PASSWORD, fresh_number
from tests.browser.test_over_http import Person


def member(site: Stage) -> str:
    """The number of a member with PASSWORD, a minute after the last code to it."""
    person, number = Person(site), fresh_number()
    person.prove(number)
    assert person.details().status_code == 303
    for key in site.redis.do("KEYS", "otp:to:*"):
        site.redis.do("DEL", key)
    site.post.sent.clear()
    return number


def acr(site: Stage, person: Person) -> str:
    """How strongly this browser is signed in."""
    session = site.parts.sessions.load(person.cookie())
    return str(session.signed_in.acr)


def test_a_code_after_the_password_is_two_factors(site: Stage) -> None:
    """Where the request asks for `aal2` the sign-in page leads on to the code, and says why."""
    number, person = member(site), Person(site)
    page = person.get("/oauth/authorize?acr_values=aal2")
    here = f"/sign-in?{urlsplit(page.url).query}"
    person.post(here, identifier=number, password=PASSWORD)
    assert acr(site, person) == "aal1"
    more = person.get(here)
    assert urlsplit(more.url).path == "/sign-in/code"
    assert "One more step" in more.text
    query = urlsplit(more.url).query
    person.post(f"/sign-in/code?{query}", mobile=number)
    person.post(f"/sign-in/code/verify?{query}", code=site.code(f"+86{number}"))
    assert acr(site, person) == "aal2"
    assert urlsplit(person.get(here).url).path == "/sign-in"


def test_one_factor_is_enough_where_nobody_asks_for_more(site: Stage) -> None:
    """The page stays the page."""
    number, person = member(site), Person(site)
    page = person.get("/oauth/authorize")
    here = f"/sign-in?{urlsplit(page.url).query}"
    person.post(here, identifier=number, password=PASSWORD)
    assert urlsplit(person.get(here).url).path == "/sign-in"
