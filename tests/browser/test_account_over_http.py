"""A member's own account on the hosted pages, over plain HTTP; no browser is needed."""

import dataclasses
import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from joserfc import jwt

from bridge.store.grants import Authorization, Code
from tests.browser.stage import Stage
from tests.browser.steps import PASSWORD, fresh_number
from tests.browser.test_over_http import Person

NEW = "lantern-tide-94"
PLAIN = (
    "/account",
    "/account/profile",
    "/account/consents",
    "/account/addresses",
    "/account/sessions",
)
FRESH = (
    "/account/password",
    "/account/mobile",
    "/account/email",
    "/account/export",
    "/account/export/member.json",
    "/account/erase",
)


class Member(Person):
    """Somebody who has joined and is signed in."""

    def __init__(self, site: Stage) -> None:
        super().__init__(site)
        self.number = fresh_number()
        self.prove(self.number)
        assert self.details().status_code == 303
        assert "/welcome" in self.get("/register/pending").url
        self.sign_in()
        self.minute_passes()

    def sign_in(self) -> requests.Response:
        """By the password."""
        return self.post("/sign-in", identifier=self.number, password=PASSWORD)

    def minute_passes(self) -> None:
        """Another code may be asked for."""
        for key in self.site.redis.do("KEYS", "otp:to:*"):
            self.site.redis.do("DEL", key)
        self.site.post.sent.clear()

    def grows_old(self) -> None:
        """The sign-in was an hour ago."""
        sessions = self.site.parts.sessions
        session = sessions.load(self.cookie())
        who = session.signed_in
        session.signed_in = dataclasses.replace(who, auth_time=who.auth_time - 3600)
        sessions.save(session)

    def location(self, path: str) -> str:
        """Where a page sends one; "" where it doesn't."""
        return self.get(path, allow_redirects=False).headers.get("Location", "")

    def followed(self, path: str, page: str | None = None, **fields: str) -> str:
        """The text of what a form leads to."""
        answer = self.post(path, page, **fields)
        return self.get(answer.headers["Location"]).text if answer.is_redirect else answer.text

    def edits(self, **changes: str) -> str:
        """The profile's form as it was shown, with `changes`, sent."""
        text = self.get("/account/profile").text
        found = dict(re.findall(r'<input id="\w+" name="(\w+)" type="text" value="([^"]*)"', text))
        found |= dict(re.findall(r'name="(birth_\w+)" value="([^"]*)"', text))
        found["version"] = re.findall(r'name="version" value="([^"]*)"', text)[0]
        return self.followed("/account/profile", **{**found, **changes})


@pytest.fixture
def member(site: Stage) -> Member:
    return Member(site)


def can_sign_in(site: Stage, identifier: str, password: str) -> bool:
    """In a browser of its own."""
    done = Person(site).post("/sign-in", identifier=identifier, password=password)
    return done.status_code == 303


def test_only_who_is_signed_in_sees_an_account(site: Stage) -> None:
    """Anybody else is sent to the sign-in."""
    anybody = Person(site)
    for path in (*PLAIN, *FRESH, "/account/confirm", "/account/unlink", "/account/pending"):
        assert anybody.get(path, allow_redirects=False).headers["Location"] == "/sign-in"


def test_signing_in_leads_back_to_the_page_that_asked(member: Member) -> None:
    """And to no other."""
    member.post("/sign-out", "/signed-in")
    member.get("/account/consents")
    assert member.sign_in().headers["Location"] == "/account/consents"


def test_the_account_shows_what_is_held_and_what_is_missing(member: Member) -> None:
    """Addresses stand there masked; of what is wanted, the gender is missing."""
    text = member.get("/account").text
    assert "李" in text
    assert "1990-02-03" in text
    assert member.number not in text
    assert f"{member.number[:3]}****{member.number[-4:]}" in text
    assert "83% complete" in text
    assert "Still missing: Gender" in text


def test_an_edit_reaches_the_crm(member: Member) -> None:
    """What was changed is saved, what wasn't stays."""
    text = member.edits(given_name="芳", gender="female")
    assert "Your change is saved." in text
    assert "芳" in text
    assert "1990-02-03" in text
    assert "Still missing" not in text


def test_an_edit_of_an_old_version_is_not_saved(member: Member) -> None:
    """What another page saved meanwhile isn't undone."""
    text = member.get("/account/profile").text
    version = re.findall(r'name="version" value="([^"]*)"', text)[0]
    member.edits(given_name="芳")
    assert "was changed elsewhere" in member.edits(given_name="薇", version=version)
    assert "芳" in member.get("/account").text


def test_a_version_of_somebody_else_is_refused(site: Stage, member: Member) -> None:
    """A tag is sealed to its member."""
    other = Member(site).get("/account/profile").text
    version = re.findall(r'name="version" value="([^"]*)"', other)[0]
    assert "This page has expired" in member.edits(given_name="芳", version=version)


def test_what_is_not_right_is_told_in_place(member: Member) -> None:
    """Nothing is written."""
    assert "Please fill in: Given name." in member.edits(given_name="")
    assert "Please enter a real date of birth." in member.edits(birth_month="13")
    assert "You are too young" in member.edits(birth_year="2024")
    assert "1990-02-03" in member.get("/account").text


def test_a_slow_crm_leaves_a_page_that_waits(site: Stage, member: Member) -> None:
    """The account says that a change is on its way, and once it is done that it is saved."""
    site.worker.paused.set()
    assert "Saving your change" in member.edits(given_name="芳")
    assert "still on its way" in member.get("/account").text
    assert member.location("/account/profile") == "/account/pending"
    site.worker.paused.clear()
    for _ in range(200):
        if member.get("/account/progress").json()["done"]:
            break
    assert "Your change is saved." in member.get("/account/pending").text


def test_a_consent_is_withdrawn_and_stays_in_the_history(member: Member) -> None:
    """Each answer is a fact of its own; what is required can't be unticked."""
    assert "Agreed." in member.get("/account/consents").text
    form = {"consent_marketing": "1"}
    assert "Your change is saved." in member.followed("/account/consents", **form)
    text = member.followed("/account/consents")
    rows = re.findall(r"<strong>(\w+)\.</strong> ([^<]+)</p>", text)
    said = [(what, "products" in purpose) for what, purpose in rows]
    assert said[0] == ("Withdrawn", True)
    assert ("Agreed", True) in said
    assert ("Agreed", False) in said
    assert "needed for the membership" in text


def test_nothing_ticked_anew_writes_nothing(site: Stage, member: Member) -> None:
    """The same form again isn't another fact, nor is one that was never ticked."""
    for form in ({}, {"consent_marketing": "1"}):
        member.followed("/account/consents", **form)
        before = len(site.crm.store.rows["consent"])
        answer = member.post("/account/consents", **form)
        assert answer.headers["Location"] == "/account/consents"
        assert len(site.crm.store.rows["consent"]) == before


def test_an_old_sign_in_is_asked_again(member: Member) -> None:
    """What opens or closes an account needs a sign-in that is recent, also when it is sent."""
    assert [member.location(path) for path in FRESH] == [""] * len(FRESH)
    member.grows_old()
    for path in (*FRESH, "/account/unlink"):
        assert member.location(path) == "/account/confirm"
        sent = member.post(path, "/account/confirm", password=NEW, sure="yes")
        assert sent.headers["Location"] == "/account/confirm"
    assert can_sign_in(member.site, member.number, PASSWORD)


def test_the_password_confirms(member: Member) -> None:
    """A wrong one doesn't; the right one goes on under a new session id."""
    member.grows_old()
    member.get("/account/erase")
    before = member.cookie()
    wrong = member.post("/account/confirm", password="not this one")
    assert wrong.status_code == 422
    assert "This is not your password." in wrong.text
    assert (
        member.post("/account/confirm", password=PASSWORD).headers["Location"] == "/account/erase"
    )
    assert member.cookie() != before
    assert member.location("/account/erase") == ""


def test_guesses_at_the_password_are_counted(site: Stage, member: Member) -> None:
    """A stolen session is no place to guess at it."""
    member.grows_old()
    site.parts.limits = site.limits(sign_ins_per_identifier=2)
    for _ in range(2):
        member.post("/account/confirm", password="not this one")
    assert member.post("/account/confirm", password=PASSWORD).status_code == 429


def test_a_code_to_the_own_number_confirms(site: Stage, member: Member) -> None:
    """No number is typed: it goes to the account's own."""
    member.grows_old()
    member.get("/account/export")
    sent = member.post("/account/confirm/send", "/account/confirm")
    assert sent.headers["Location"] == "/account/confirm/code"
    done = member.post("/account/confirm/code", code=site.code(f"+86{member.number}"))
    assert done.headers["Location"] == "/account/export"
    assert member.location("/account/export") == ""


def test_another_password_ends_every_session(site: Stage, member: Member) -> None:
    """The new one signs in, the old one doesn't, and another browser is signed out too."""
    other = Person(site)
    other.post("/sign-in", identifier=member.number, password=PASSWORD)
    assert member.post("/account/password", password="short").status_code == 422
    assert "Your password is changed" in member.post("/account/password", password=NEW).text
    assert member.location("/account") == "/sign-in"
    page = other.get("/account")
    assert page.url.endswith("/sign-in")
    assert "You were signed out." in page.text
    assert can_sign_in(site, member.number, NEW)
    assert not can_sign_in(site, member.number, PASSWORD)


def test_another_number_signs_in_instead(site: Stage, member: Member) -> None:
    """After its code; the one before signs nobody in any more."""
    number = fresh_number()
    assert member.post("/account/mobile", mobile=number).headers["Location"].endswith("/code")
    done = member.post("/account/addresses/code", code=site.code(f"+86{number}"))
    assert "Your sign-in is changed" in done.text
    assert can_sign_in(site, number, PASSWORD)
    assert not can_sign_in(site, member.number, PASSWORD)


def test_a_number_of_another_member_is_not_taken(site: Stage, member: Member) -> None:
    """Told only to whoever proved it."""
    other = Member(site)
    member.post("/account/mobile", mobile=other.number)
    code = site.code(f"+86{other.number}")
    assert "another membership" in member.followed("/account/addresses/code", code=code)
    assert can_sign_in(site, other.number, PASSWORD)


def test_an_email_is_added_and_taken_away(site: Stage, member: Member) -> None:
    """A code goes there by mail; a way to sign in is removed after one more question."""
    email = f"li.{member.number}@example.com"
    assert "Add an e-mail" in member.get("/account/addresses").text
    assert "Remove" not in member.get("/account/addresses").text
    member.post("/account/email", email=email)
    done = member.post("/account/addresses/code", code=site.code(email))
    assert "Your sign-in is changed" in done.text
    assert can_sign_in(site, email, PASSWORD)
    member.sign_in()
    text = member.get("/account/addresses").text
    assert email not in text
    name = re.findall(r'name="identity" value="([^"]+)"', text)[1]
    unlink = "/account/unlink"
    assert "Remove this way" in member.post(unlink, "/account/addresses", identity=name).text
    assert can_sign_in(site, email, PASSWORD)
    sure = {"identity": name, "sure": "yes"}
    assert "is changed" in member.post(unlink, "/account/addresses", **sure).text
    assert not can_sign_in(site, email, PASSWORD)
    assert can_sign_in(site, member.number, PASSWORD)


def test_the_last_way_to_sign_in_stays(site: Stage, member: Member) -> None:
    """Also for a form that the page didn't offer."""
    keys = site.parts.identity_keys
    held = site.crm.get("identity", keys.id("mobile", f"+86{member.number}"), ["member"])
    name = site.parts.names.of("identity.shown", held.record["member"], held.id)
    form = {"identity": name, "sure": "yes"}
    assert "last way" in member.followed("/account/unlink", "/account", **form)
    assert can_sign_in(site, member.number, PASSWORD)


def test_the_copy_holds_everything_but_secrets(member: Member) -> None:
    """A file that isn't kept by anything on the way."""
    assert "Download" in member.get("/account/export").text
    answer = member.get("/account/export/member.json")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="member.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    copy = json.loads(answer.content)
    assert copy["member"]["given_name"] == "薇"
    assert copy["identities"][0]["value"] == f"+86{member.number}"
    assert copy["consents"]
    assert "credential" not in copy["member"]


def test_erasing_ends_with_a_receipt(site: Stage, member: Member) -> None:
    """Two pages from the account; nothing is left to sign in to, and the receipt is signed."""
    assert member.post("/account/erase").status_code == 422
    assert can_sign_in(site, member.number, PASSWORD)
    text = member.followed("/account/erase", sure="yes")
    assert "Your membership is erased" in text
    token = re.findall(r"<code>(ey[^<]+)</code>", text)[0]
    claims = jwt.decode(token, site.parts.id_token_key).claims
    assert claims["op"] in text
    assert claims["iss"] == site.url
    assert "Your membership is erased" in member.get("/account/erased").text
    assert member.location("/account") == "/sign-in"
    assert not can_sign_in(site, member.number, PASSWORD)


def test_who_was_erased_elsewhere_is_signed_out(site: Stage, member: Member) -> None:
    """The page asks the CRM, not its own memory."""
    keys = site.parts.identity_keys
    held = site.crm.get("identity", keys.id("mobile", f"+86{member.number}"), ["member"])
    site.crm.erase("member", held.record["member"])
    assert member.location("/account") == "/sign-in"


def test_a_form_of_another_site_does_nothing(member: Member) -> None:
    """Each form has this session's token, or is refused."""
    data = {"password": NEW, "sure": "yes"}
    for path in (*PLAIN, *FRESH, "/account/confirm", "/account/confirm/send", "/account/unlink"):
        assert member.http.post(member.site.url + path, data=data).status_code == 403
    assert can_sign_in(member.site, member.number, PASSWORD)


def granted(site: Stage, member: Member) -> str:
    """A client is signed in for the member; gives its access token."""
    who = site.parts.sessions.load(member.cookie()).signed_in
    grants = site.parts.grants
    whose = {"member_id": who.member_id, "stamp": who.stamp, "epoch": who.epoch}
    code = Code(
        Authorization("site", frozenset(), (), **whose), f"{site.url}/", "x", device="phone"
    )
    issued = grants.redeem(grants.new_code(code), code, refreshable=True)
    return str(issued.access_token)


def test_one_session_is_ended_from_another(site: Stage, member: Member) -> None:
    """Its tokens are dead at once; a name that isn't the member's ends nothing."""
    stranger = Member(site)
    token, other = granted(site, member), granted(site, stranger)
    text = member.get("/account/sessions").text
    name = re.findall(r'name="session" value="([^"]+)"', text)[0]
    foreign = re.findall(r'name="session" value="([^"]+)"', stranger.get("/account/sessions").text)
    member.post("/account/sessions", session=foreign[0])
    assert site.parts.grants.check(other) is not None
    assert "It is signed out there." in member.followed("/account/sessions", session=name)
    assert site.parts.grants.check(token) is None
    assert member.location("/account") == ""


def test_all_sessions_end_with_this_one(site: Stage, member: Member) -> None:
    """Another browser is signed out too."""
    token, other = granted(site, member), Person(site)
    other.post("/sign-in", identifier=member.number, password=PASSWORD)
    done = member.post("/account/sessions", all="yes")
    assert done.headers["Location"] == "/signed-out"
    assert site.parts.grants.check(token) is None
    assert member.location("/account") == "/sign-in"
    assert other.get("/account").url.endswith("/sign-in")


def test_two_factors_are_asked_for_where_the_settings_want_them(
    site: Stage, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password alone leads to the code, and both together to the page."""
    monkeypatch.setattr(site.parts.settings.oauth, "step_up_acr", "aal2")
    member.grows_old()
    assert member.location("/account/export") == "/account/confirm"
    member.post("/account/confirm", password=PASSWORD)
    assert member.location("/account/export") == "/account/confirm"
    page = member.get("/account/confirm").text
    assert "one more proof" in page
    assert 'type="password"' not in page
    member.post("/account/confirm/send", "/account/confirm")
    member.post("/account/confirm/code", code=site.code(f"+86{member.number}"))
    assert member.location("/account/export") == ""


def test_a_code_to_an_address_that_went_away_confirms_nothing(site: Stage, member: Member) -> None:
    """It went to a number that was the account's, and is somebody else's when it is typed."""
    member.grows_old()
    member.get("/account/erase")
    member.post("/account/confirm/send", "/account/confirm")
    code, number = site.code(f"+86{member.number}"), f"+86{member.number}"
    row = site.crm.get("identity", site.parts.identity_keys.id("mobile", number), ["member"])
    released = {"member": None, "member_text": None, "mac": None, "value": None}
    site.crm.update("identity", row.id, released, row.version)
    assert "can no longer be used" in member.followed("/account/confirm/code", code=code)
    assert member.location("/account/erase") == "/account/confirm"


def at_once(member: Member, path: str, forms: list[dict[str, str]]) -> list[int]:
    """The forms, sent together from one browser; gives their statuses."""
    text = member.get(path).text
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text))
    cookies = member.http.cookies.get_dict()

    def send(form: dict[str, str]) -> int:
        url = member.site.url + path
        data = {**hidden, **form}
        return requests.post(
            url, data, cookies=cookies, allow_redirects=False, timeout=20
        ).status_code

    with ThreadPoolExecutor(len(forms)) as pool:
        return list(pool.map(send, forms))


def test_a_form_that_is_sent_twice_is_one_write(site: Stage, member: Member) -> None:
    """Also when both are under way together; the answers agree."""
    member.followed("/account/consents")
    before = len(site.crm.store.rows["consent"])
    ticked = {"consent_marketing": "1"}
    assert at_once(member, "/account/consents", [ticked] * 4) == [303] * 4
    assert len(site.crm.store.rows["consent"]) == before + 1


def test_of_two_different_forms_at_once_the_first_counts(member: Member) -> None:
    """Nobody sees an error, and the record is one of the two."""
    shown = {"family_name": "李", "birth_year": "1990", "birth_month": "2", "birth_day": "3"}
    names = ("芳", "娜")
    sent = [{**shown, "given_name": name, "language": "en"} for name in names]
    assert at_once(member, "/account/profile", sent) == [303, 303]
    assert "Your change is saved." in member.get("/account/pending").text
    text = member.get("/account").text
    assert [name in text for name in names].count(True) == 1
