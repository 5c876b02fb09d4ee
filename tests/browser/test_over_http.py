"""What the pages promise over plain HTTP; no browser is needed."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from bridge.pages import joining
from bridge.pages.texts import LANGUAGES, TEXTS, choose
from bridge.seal import unb64
from bridge.store.grants import Authorization, Code
from bridge.wechat import web_oauth
from tests.browser.conftest import WECHAT
from tests.browser.stage import Stage
from tests.browser.steps import PASSWORD, fresh_number

TEMPLATES = Path("bridge/pages/templates/pages")


class Person:
    """A browser without a screen: cookies, and the token of the last page."""

    def __init__(self, site: Stage, agent: str = "Mozilla/5.0") -> None:
        self.site, self.http = site, requests.Session()
        self.http.trust_env = False
        accepts = {"Accept-Language": "en", "Accept": "text/html"}
        self.http.headers.update({"User-Agent": agent, **accepts})

    def get(self, path: str, **options: object) -> requests.Response:
        """A page."""
        return self.http.get(self.site.url + path, **options)  # type: ignore[arg-type]

    def post(self, path: str, page: str | None = None, **fields: str) -> requests.Response:
        """The form of `page` (or of `path` itself), sent."""
        token = re.search(r'name="csrf" value="([^"]+)"', self.get(page or path).text)
        assert token
        data = {"csrf": token[1], **fields}
        return self.http.post(self.site.url + path, data=data, allow_redirects=False)

    def cookie(self) -> str:
        """The session's id."""
        return str(self.http.cookies["as"])

    def prove(self, number: str) -> requests.Response:
        """Both steps."""
        self.post("/register", mobile=number)
        return self.post("/register/code", code=self.site.code(f"+86{number}"))

    def details(self, **changes: str) -> requests.Response:
        """The third step."""
        fields = {"given_name": "薇", "family_name": "李", "email": "li.wei@example.com"}
        fields |= {"birth_year": "1990", "birth_month": "2", "birth_day": "3"}
        fields |= {"password": PASSWORD, "consent_membership": "1", **changes}
        return self.post("/register/details", **fields)


@pytest.fixture
def person(site: Stage) -> Iterator[Person]:
    """Somebody who comes for the first time."""
    made = Person(site)
    yield made
    made.http.close()


@pytest.fixture
def member(site: Stage) -> str:
    """The number of somebody who has joined."""
    number, someone = fresh_number(), Person(site)
    someone.prove(number)
    assert someone.details().status_code == 303
    assert "/welcome" in someone.get("/register/pending").url
    return number


def test_each_answer_keeps_itself_private(person: Person) -> None:
    """No page may be stored, framed, or told onward in a Referer, or run anything of others."""
    for path in ("/sign-in", "/register", "/signed-out", "/error", "/no-such-page"):
        headers = person.get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        policy = dict(each.split(" ", 1) for each in headers["Content-Security-Policy"].split("; "))
        assert policy.pop("default-src") == policy.pop("frame-ancestors") == "'none'"
        assert policy.pop("base-uri") == "'none'"
        assert policy.pop("img-src") == "'self' data:"
        assert set(policy.values()) == {"'self'"}


def test_a_waiting_client_widens_the_form_policy_to_its_own_origin(
    person: Person, site: Stage
) -> None:
    """Browsers hold a redirect after a form to `form-action`: the registered origin is added, and
    only while that client waits."""
    policy = person.get("/oauth/authorize").headers["Content-Security-Policy"]
    assert f"form-action 'self' {site.url};" in policy


def test_a_form_without_its_token_does_nothing(person: Person, site: Stage) -> None:
    """A form that another site sends is refused, and no code goes out."""
    number = fresh_number()
    person.get("/register")
    for token in ("", "x" * 43):
        data = {"csrf": token, "mobile": number}
        assert person.http.post(site.url + "/register", data=data).status_code == 403
    assert not any(to == f"+86{number}" for to, _ in site.post.sent)


def test_every_failed_sign_in_reads_the_same(person: Person, member: str) -> None:
    """Nobody learns whether a name is a member's: unknown, malformed and wrong read alike."""
    answers = set()
    for name in (member, fresh_number(), "no@example.com", "not a name"):
        answer = person.post("/sign-in", identifier=name, password="wrong guess")
        answers.add((answer.status_code, answer.text.replace(name, "").replace("&#34;", "")))
    bodies = {re.sub(r'value="[^"]*"', "", body) for _, body in answers}
    assert len(bodies) == 1
    assert {status for status, _ in answers} == {422}


def test_a_sign_in_changes_the_session_id(person: Person, member: str, site: Stage) -> None:
    """A session id that somebody planted before the sign-in is worth nothing after it."""
    person.get("/sign-in")
    before = person.cookie()
    assert person.post("/sign-in", identifier=member, password=PASSWORD).status_code == 303
    assert person.cookie() != before
    assert site.parts.sessions.load(before) is None
    assert "signed in" in person.get("/signed-in").text
    person.post("/sign-out", page="/signed-in")
    assert person.get("/signed-in").url.endswith("/sign-in")


def test_a_code_signs_a_member_in(person: Person, member: str, site: Stage) -> None:
    """A proven number that has a member signs in; one that has none is told so and may join."""
    site.redis.client.flushdb()
    site.post.sent.clear()
    person.post("/sign-in/code", mobile=member)
    answer = person.post("/sign-in/code/verify", code=site.code(f"+86{member}"))
    assert answer.headers["Location"].endswith("/signed-in")
    stranger, number = Person(site), fresh_number()
    stranger.post("/sign-in/code", mobile=number)
    answer = stranger.post("/sign-in/code/verify", code=site.code(f"+86{number}"))
    assert answer.headers["Location"].endswith("/register")
    assert "not a member yet" in stranger.get("/register").text


def test_a_store_goes_from_the_link_to_the_record(person: Person, site: Stage) -> None:
    """The link's store is named on the page and noted in the record; its URL is not kept."""
    page = person.get(site.link().removeprefix(site.url))
    assert page.url == site.url + "/register"
    assert "Shanghai Nanjing Road West" in page.text
    number = fresh_number()
    person.prove(number)
    person.details()
    person.get("/register/pending")
    found = next(each for each in site.members() if each["mobile"] == f"+86{number}")
    assert (found["registered_store"], found["registered_channel"]) == ("SH001", "web")


def test_a_forged_link_credits_no_store(person: Person, site: Stage) -> None:
    """A link that isn't ours says so and offers to join without it."""
    forged = site.link().replace("SH001", "BJ001").removeprefix(site.url)
    page = person.get(forged)
    assert page.status_code == 400
    assert "This link is no longer valid" in page.text
    assert "Membership</p>" in person.get("/register").text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"email": "nobody"}, "valid e-mail"),
        ({"email": '"nobody"@example.com'}, "valid e-mail"),
        ({"birth_month": "13"}, "real date of birth"),
        ({"birth_year": "2999"}, "real date of birth"),
        ({"given_name": "x" * 51}, "Too long: Given name"),
        ({"password": "short"}, "at least 8"),
        ({"password": "password123"}, "too common"),
        ({"gender": "robot"}, "Please check: Gender"),
    ],
)
def test_what_is_not_right_is_said_and_nothing_is_sent(
    person: Person, site: Stage, changes: dict[str, str], sentence: str
) -> None:
    """A wrong field comes back with its sentence, and the CRM sees nothing."""
    person.prove(fresh_number())
    before = len(site.members())
    answer = person.details(**changes)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert len(site.members()) == before


def test_a_required_consent_is_required(person: Person) -> None:
    """Nobody joins without it, and the other one stays as it was ticked."""
    person.prove(fresh_number())
    token = person.details(consent_membership="stale").text
    assert "This page had expired" in token
    page = person.post("/register/details", given_name="x", consent_marketing="1").text
    assert "You need to agree to this to join." in page
    assert re.search(r'id="consent_marketing"[^>]*checked', page)


def test_full_width_digits_are_digits(person: Person, site: Stage) -> None:
    """What a Chinese keyboard gives by default is understood."""
    number = fresh_number()
    person.prove(number)
    wide = {"birth_year": "１９９０", "birth_month": "２", "birth_day": "３"}
    assert person.details(**wide).status_code == 303


def test_a_member_is_told_after_the_proof_only(person: Person, member: str, site: Stage) -> None:
    """Before the code, a member's number is answered like any other; after it, it is told."""
    site.redis.client.flushdb()
    site.post.sent.clear()
    for someone, number in ((Person(site), fresh_number()), (person, member)):
        assert someone.post("/register", mobile=number).headers["Location"] == "/register/code"
    answer = person.post("/register/code", code=site.code(f"+86{member}"))
    assert answer.headers["Location"] == "/register/already"
    assert "already" in person.get("/register/already").text


def test_a_registration_is_taken_while_the_crm_is_down(person: Person, site: Stage) -> None:
    """With the CRM down the form is accepted and waits; when it is back, the member is welcome."""
    person.prove(fresh_number())
    site.line.cut = True
    answer = person.details()
    assert (answer.status_code, answer.headers["Location"]) == (303, "/register/pending")
    assert person.get("/register/pending").url.endswith("/register/pending")
    site.line.cut = False
    deadline = time.monotonic() + 15
    while not (page := person.get("/register/pending")).url.endswith("/register/welcome"):
        assert time.monotonic() < deadline, page.url
        time.sleep(0.2)


def test_a_dead_crm_is_said_in_place(site: Stage, member: str) -> None:
    """With the CRM down nobody can be signed in: the form says so and keeps the identifier."""
    site.line.cut = True
    refused = Person(site).post("/sign-in", identifier=member, password=PASSWORD)
    site.line.cut = False
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert member in refused.text
    assert PASSWORD not in refused.text


def test_a_dead_queue_is_said_in_place(person: Person, site: Stage) -> None:
    """With no fit queue nothing is accepted: the form says so with Retry-After, keeps what was
    typed except the password, and works again afterwards."""
    person.prove(fresh_number())
    keeper, site.worker.keeper = site.worker.keeper, SimpleNamespace(renew=lambda: False)
    time.sleep(0.1)
    site.redis.do("DEL", "op:fit")
    time.sleep(1.1)  # a web process looks once a second
    answer = person.details()
    site.worker.keeper = keeper
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert 'value="li.wei@example.com"' in answer.text
    assert PASSWORD not in answer.text
    time.sleep(1.1)
    assert person.details().status_code == 303


def test_too_many_tries_are_told_to_wait(person: Person, site: Stage) -> None:
    """A limit answers 429 with the seconds in the header and in words."""
    site.parts.limits = site.limits(sign_ins_per_identifier=1)
    name = "limited@example.com"
    person.post("/sign-in", identifier=name, password="wrong guess")
    answer = person.post("/sign-in", identifier=name, password="wrong guess")
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "Too many tries. Please wait" in answer.text


def test_registrations_are_limited(person: Person, site: Stage) -> None:
    """One address range can't register without end; the form says so and keeps what was typed."""
    site.parts.limits = site.limits(registrations_per_network=1)
    person.prove(fresh_number())
    assert person.details().status_code == 303
    someone = Person(site)
    someone.prove(fresh_number())
    answer = someone.details()
    assert answer.status_code == 429
    assert 'value="li.wei@example.com"' in answer.text


def test_another_code_within_a_minute_is_the_same_one(person: Person, site: Stage) -> None:
    """Asking again at once sends nothing more, and the page doesn't say that it did."""
    number = fresh_number()
    person.post("/register", mobile=number)
    site.code(f"+86{number}")
    answer = person.post("/register/again", page="/register/code")
    assert answer.headers["Location"] == "/register/code"
    assert "on its way" not in person.get("/register/code").text
    assert sum(to == f"+86{number}" for to, _ in site.post.sent) == 1


def test_a_number_is_shown_masked(person: Person, site: Stage) -> None:
    """After its own form no page shows a whole number."""
    number = fresh_number()
    person.post("/register", mobile=number)
    page = person.get("/register/code").text
    assert number not in page
    assert f"{number[:3]}****{number[-4:]}" in page


def test_the_trace_of_the_scan_is_on_the_envelope(person: Person, site: Stage) -> None:
    """A registration goes on under the trace that the store's link carries."""
    person.get(site.link().removeprefix(site.url))
    site.worker.paused.set()
    person.prove(fresh_number())
    person.details()
    boxes = site.redis.do("KEYS", "mb:w*")
    texts: list[str] = [t for name in boxes for t in site.redis.do("LRANGE", name, 0, -1)]
    assert any("ab" * 16 in unb64(text.split(".")[1]).decode() for text in texts)


def test_a_sign_in_forgets_the_way_and_a_sign_out_ends_its_grants(
    person: Person, member: str, site: Stage
) -> None:
    """Nothing proven or typed before stays in a signed-in session; signing out of the pages ends
    the tokens that came from them."""
    person.get("/register")
    session = site.parts.sessions.load(person.cookie())
    session.data["proofs"], session.data["mobile"] = ["x"], "y"
    site.parts.sessions.save(session)
    person.post("/sign-in", identifier=member, password=PASSWORD)
    session = site.parts.sessions.load(person.cookie())
    assert set(session.data) <= {"lang"}
    code = Code(Authorization("site", frozenset(), ()), f"{site.url}/oauth/arrived", "x")
    issued = site.parts.grants.redeem(site.parts.grants.new_code(code), code, refreshable=False)
    assert site.parts.grants.check(issued.access_token)
    assert site.parts.sessions.note_grant(session, issued.grant_id)
    person.post("/sign-out", page="/signed-in")
    assert site.parts.grants.check(issued.access_token) is None


def test_an_openid_of_somebody_else_does_not_stop_a_registration(site: Stage) -> None:
    """A WeChat user whose earlier membership is closed joins anew with the number alone."""
    numbers = fresh_number(), fresh_number()
    for number in numbers:
        inside = Person(site, WECHAT)
        inside.get("/register")
        session = site.parts.sessions.load(inside.cookie())
        session.data[joining.WECHAT_PROOF] = "wxapp:openid-of-two"
        site.parts.sessions.save(session)
        inside.prove(number)
        assert inside.details().status_code == 303
        assert "/welcome" in inside.get("/register/pending").url
        rows = site.crm.store.rows["member"].values()
        found = next(row for row in rows if row.columns["mobile"] == f"+86{number}")
        found.columns["state"] = "inactive"


def test_one_visits_operation_is_not_anothers(person: Person, site: Stage) -> None:
    """Progress is told to the visit that made the write alone."""
    site.worker.paused.set()
    person.prove(fresh_number())
    person.details()
    assert person.get("/register/progress").json() == {"done": False}
    thief = Person(site)
    thief.get("/register")
    session = site.parts.sessions.load(thief.cookie())
    mine = site.parts.sessions.load(person.cookie())
    session.data["operation"] = mine.data["operation"]
    site.parts.sessions.save(session)
    assert thief.get("/register/progress").status_code == 404


def test_inside_wechat_the_browser_is_asked_once(site: Stage) -> None:
    """The registration page goes through WeChat's silent sign-in once, whatever comes of it; other
    browsers, and sites without an account, never."""
    site.parts.settings.wechat.enabled = True
    inside = Person(site, WECHAT)
    first = inside.get("/register", allow_redirects=False)
    assert first.headers["Location"] == "/wechat/oauth/start"
    assert inside.get("/register", allow_redirects=False).status_code == 200
    assert Person(site).get("/register", allow_redirects=False).status_code == 200


def test_a_proven_openid_joins_the_member(site: Stage) -> None:
    """What WeChat proved in this session becomes an identity of the member who joins in it."""
    inside, number = Person(site, WECHAT), fresh_number()
    inside.get("/register")
    session = site.parts.sessions.load(inside.cookie())
    session.data[joining.WECHAT_PROOF] = "wxapp:openid-of-" + number
    site.parts.sessions.save(session)
    inside.prove(number)
    inside.details()
    inside.get("/register/pending")
    values = {row.columns["value"] for row in site.crm.store.rows["identity"].values()}
    assert {"+86" + number, "wxapp:openid-of-" + number} <= values


def test_the_names_shared_with_the_channel_are_the_same() -> None:
    """Pages and channel meet in the session only, so both must call its entries alike."""
    ours = (joining.WECHAT_PROOF, joining.WECHAT_OUTCOME, joining.WECHAT_BACK)
    assert ours == (web_oauth.PROOF, web_oauth.OUTCOME, web_oauth.BACK)


@pytest.mark.parametrize(
    ("path", "query"),
    [("//evil.example/x", ""), ("/sign-in", "x=%22%3E%3Cb%3E"), ("/error", "type=internal&a=%22")],
)
def test_no_path_or_query_gets_into_a_link_unescaped(site: Stage, path: str, query: str) -> None:
    """The language switch and the retry link name no host, whatever the path was."""
    environ = {"PATH_INFO": path, "QUERY_STRING": query}
    headers = {"Accept": "text/html"}
    page = site.app.test_client().get("/", headers=headers, environ_overrides=environ).text
    links = re.findall(r'href="([^"]*)"', page)
    assert len(links) > 3
    assert not any(link.startswith("//") or not link.startswith(("/", "#", "?")) for link in links)
    assert "<b>" not in page


def test_both_languages_say_everything() -> None:
    """The same keys, with the same places to fill, in each language."""
    first, *others = (TEXTS[language] for language in LANGUAGES)
    for other in others:
        assert first.known() == other.known()
        for key in first.known():
            places = [sorted(re.findall(r"\{\w+\}", texts(key))) for texts in (first, other)]
            assert places[0] == places[1], key


def test_every_text_is_used() -> None:
    """A text that no page says is deleted."""
    files = [*Path("bridge/pages").rglob("*.py"), *TEMPLATES.glob("*.html")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    families = (
        "field.",
        "problem.4",
        "problem.5",
        "error.password_",
        "error.blank",
        "error.invalid",
        "error.too_long",
        "error.mobile",
        "error.email",
        "device.approved_",
        "device.denied_",
        "device.over_",
        "account.change_",
        "account.on_",
        "account.add_",
        "account.address.",
        "account.pending_",
        "register.pending_",
    )
    known = sorted(TEXTS["en"].known())
    unused = [key for key in known if key not in source and not key.startswith(families)]
    assert unused == []


@pytest.mark.parametrize(
    ("wishes", "language"),
    [
        (["zh-Hant-TW"], "zh-CN"),
        (["fr en-GB"], "en"),
        ([None, "zh_CN"], "zh-CN"),
        (["fr"], "zh-CN"),
        ([None], "zh-CN"),
        (["xx", "en"], "en"),
    ],
)
def test_the_language_is_the_first_that_we_speak(wishes: list[str | None], language: str) -> None:
    """Any tag of a language counts, best wish first; Chinese where we speak none of them."""
    assert choose(*wishes) == language
