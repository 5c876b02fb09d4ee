"""The member API over HTTP, on the whole line: Redis, worker, web server, CRM sandbox."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from bridge.cli.journey import Journey, bearer
from bridge.cli.line import Line
from tests.flows.on_the_line.conftest import Watch, forget_codes, new_member
from tests.flows.on_the_line.crm import Crm

CONSENTS = [{"purpose": "membership", "granted": True, "text_version": "2026-11"}]
SCOPE = "registrations:write"


@pytest.fixture
def someone(line: Line, watch: Watch, crm: Crm) -> "Someone":
    """A person with a number of their own. What a test did to the CRM is undone by `crm`."""
    return Someone(line, watch)


class Someone(Journey):
    """A person who becomes a member through a client's back end."""

    def __init__(self, line: Line, watch: Watch) -> None:
        super().__init__(line, new_member())
        watch.plant(self)
        self.backend = bearer(self.client_token("store-backend", SCOPE))

    def api(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """As the member, once signed in."""
        headers = self.authorized() | kwargs.pop("headers", {})
        return self.http.request(method, self.line.url + path, headers=headers, **kwargs)

    def as_backend(self, path: str, body: dict[str, Any], **headers: str) -> requests.Response:
        """As the client's back end."""
        url = self.line.url + path
        return self.http.post(url, json=body, headers=self.backend | headers, timeout=20)

    def proof(self) -> str:
        """By a code that came to their number."""
        sent, ask = time.time(), {"channel": "sms", "address": self.member.mobile}
        made = self.as_backend("/v1/otp", ask | {"purpose": "registration"}).json()
        code = self.code(self.member.mobile, sent)
        path = f"/v1/otp/{made['challenge_id']}/verify"
        return str(self.as_backend(path, {"code": code}).json()["proof"])

    def form(self, **more: Any) -> dict[str, Any]:
        """A registration."""
        asked = ("given_name", "family_name", "password")
        names = {name: getattr(self.member, name) for name in asked}
        return {"proof": self.proof(), "consents": CONSENTS, **names, **more}

    def join(self) -> "Someone":
        """Becomes a member and signs in."""
        assert self.as_backend("/v1/registrations", self.form()).status_code == 201
        self.sign_in()
        return self


@pytest.mark.every_crm
def test_a_member_from_registration_to_erasure(someone: Someone, crm: Crm) -> None:
    """Registered by a back end, signed in by the page, read, changed, and erased for good."""
    person = someone.join()
    me = person.api("GET", "/v1/me?fields=given_name,mobile")
    assert me.json() == {"given_name": person.member.given_name, "mobile": person.member.mobile}
    headers = {"If-Match": me.headers["ETag"]}
    changed = person.api("PATCH", "/v1/me", json={"given_name": "An"}, headers=headers)
    assert changed.status_code == 204
    again = person.api("GET", "/v1/me", headers={"If-None-Match": changed.headers["ETag"]})
    assert again.status_code == 304
    late = person.api("PATCH", "/v1/me", json={"given_name": "Bo"}, headers=headers)
    assert late.status_code == 412
    assert crm.member(person.member.mobile)["given_name"] == "An"
    assert person.api("DELETE", "/v1/me").status_code == 200
    assert crm.members(person.member.mobile) == []
    assert person.api("GET", "/v1/me").status_code == 401
    assert person.member.mobile not in {row["value"] for row in crm.rows("identity")}


@pytest.mark.every_crm
def test_sparse_fields_are_the_crms_select(someone: Someone, crm: Crm) -> None:
    """What isn't asked for isn't even asked of the CRM."""
    person = someone.join()
    person.api("GET", "/v1/me?fields=given_name")
    query = str(crm.requests()[-1])
    assert crm.column("given_name") in query
    assert crm.column("email") not in query


@pytest.mark.every_crm
def test_consents_are_rows_in_the_crm(someone: Someone, crm: Crm) -> None:
    """An answer adds a row; the newest counts; the history stays."""
    person = someone.join()
    for granted in (True, False):
        answer = {"purpose": "marketing", "granted": granted, "text_version": "2026-11"}
        done = person.api("PUT", "/v1/me/consents", json={"consents": [answer]})
        assert done.status_code == 200
        time.sleep(1.1)  # rows of one second can't be told apart, and then the withdrawal counts
    shown = person.api("GET", "/v1/me/consents").json()["consents"]
    assert {each["purpose"]: each["granted"] for each in shown} == {
        "membership": True,
        "marketing": False,
    }
    assert len(crm.rows_of("consent", crm.member(person.member.mobile))) == 3


@pytest.mark.every_crm
def test_ten_devices_make_one_member(someone: Someone, crm: Crm) -> None:
    """The same registration ten times at once, and a second proof after: one contact."""
    form = someone.form()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: someone.as_backend("/v1/registrations", form), range(10)))
    assert {answer.status_code for answer in answers} <= {201, 202}
    assert len({a.json().get("operation") or a.json()["id"] for a in answers}) == 1
    assert len(crm.members(someone.member.mobile)) == 1


@pytest.mark.every_crm
def test_two_registrations_of_one_number_make_one_member(someone: Someone, crm: Crm) -> None:
    """Two devices prove the same number and register at once: one is a member, the other is told
    that there is one."""
    first = someone.form()
    forget_codes(someone.line)
    forms = first, someone.form()
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda f: someone.as_backend("/v1/registrations", f), forms))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    member = crm.member(someone.member.mobile)
    assert [row["kind"] for row in crm.rows_of("identity", member)] == ["mobile"]
    someone.sign_in()


@pytest.mark.every_crm
def test_a_registration_that_the_crm_refuses_leaves_nothing(someone: Someone, crm: Crm) -> None:
    """Refused, midway where it goes step by step: no member, no consent, and the number is free
    for the next try."""
    form = someone.form()
    crm.refuse("create", skip=0 if crm.can.atomic_batch else 2)
    refused = someone.as_backend("/v1/registrations", form)
    assert refused.status_code == 422
    assert crm.members(someone.member.mobile) == []
    assert someone.member.mobile not in {row["value"] for row in crm.rows("identity")}
    forget_codes(someone.line)
    someone.join()
    assert len(crm.rows_of("consent", crm.member(someone.member.mobile))) == 1


@pytest.mark.every_crm
def test_a_member_whose_record_staff_deleted_can_register_again(someone: Someone, crm: Crm) -> None:
    """Deleted in the CRM itself: what is left of it is gone, and the number is free."""
    person = someone.join()
    old = crm.member(person.member.mobile)["id"]
    crm.remove(old)
    assert person.api("GET", "/v1/me").status_code == 410
    forget_codes(person.line)
    person.join()
    new = crm.member(person.member.mobile)
    assert new["id"] != old
    assert [row["value"] for row in crm.rows_of("identity", new)] == [person.member.mobile]


@pytest.mark.every_crm
def test_a_write_waits_for_a_crm_that_is_down(someone: Someone, crm: Crm) -> None:
    """202 while the CRM answers nothing; the member reads it by `after=` once it is done, once."""
    person = someone.join()
    crm.fault("cut_before", on="update", times=2)
    answer = person.api(
        "PATCH", "/v1/me", json={"given_name": "An"}, headers={"Prefer": "respond-async"}
    )
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "respond-async")
    op = answer.json()["id"]
    for _ in range(6):
        read = person.api("GET", f"/v1/me?after={op}")
        if read.status_code != 503:
            break
    assert read.json()["given_name"] == "An"
    shown = person.api("GET", answer.headers["Location"]).json()
    assert (shown["status"], shown["etag"]) == ("applied", read.headers["ETag"])
    carried = crm.member(person.member.mobile)["last_operations"].split()
    assert carried.count(op[:10]) == 1


def deactivate(person: Someone, crm: Crm) -> None:
    """As staff would, in the CRM."""
    crm.edit(crm.member(person.member.mobile)["id"], state="inactive")


@pytest.mark.every_crm
def test_a_member_that_staff_deactivate_is_signed_out(someone: Someone, crm: Crm) -> None:
    """Deactivated in the CRM: the next read is 401, and so is every other after it."""
    person = someone.join()
    deactivate(person, crm)
    assert person.api("GET", "/v1/me").status_code == 401
    assert person.api("PATCH", "/v1/me", json={"given_name": "An"}).status_code == 401


@pytest.mark.every_crm
def test_a_member_that_staff_deactivate_changes_nothing(someone: Someone, crm: Crm) -> None:
    """Before any read has told so, a write on the deactivated record is refused, not applied."""
    person = someone.join()
    etag = person.api("GET", "/v1/me").headers["ETag"]
    deactivate(person, crm)
    plain = person.api("PATCH", "/v1/me", json={"given_name": "An"})
    based = person.api("PATCH", "/v1/me", json={"given_name": "An"}, headers={"If-Match": etag})
    assert (plain.status_code, based.status_code) == (422, 422)
    assert crm.member(person.member.mobile)["given_name"] == person.member.given_name


def test_a_crm_that_is_down_is_told_soon(someone: Someone, crm: Crm) -> None:
    """503 with Retry-After within 4.5 s each; once the breaker is open, within 50 ms."""
    person = someone.join()
    crm.fault("reset", times=1000)
    times = []
    for _ in range(60):
        began = time.monotonic()
        answer = person.api("GET", "/v1/me")
        times.append(time.monotonic() - began)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
    assert max(times) < 4.5
    assert statistics.median(times[-20:]) < 0.05
    crm.calm()
    deadline = time.monotonic() + 15
    while person.api("GET", "/v1/me").status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert person.api("GET", "/v1/me").status_code == 200


@pytest.mark.every_crm
def test_a_member_gets_a_copy_of_all_that_is_held(someone: Someone) -> None:
    """Their fields, their identities with values, every consent; no secret and no reference."""
    person = someone.join()
    answer = {"purpose": "marketing", "granted": True, "text_version": "2026-11"}
    assert person.api("PUT", "/v1/me/consents", json={"consents": [answer]}).status_code == 200
    got = person.api("GET", "/v1/me/export")
    assert got.headers["Content-Disposition"].startswith("attachment")
    copy = got.json()
    assert copy["member"]["given_name"] == person.member.given_name
    assert [(i["kind"], i["value"]) for i in copy["identities"]] == [
        ("mobile", person.member.mobile)
    ]
    assert {c["purpose"] for c in copy["consents"]} == {"membership", "marketing"}
    assert not {"credential", "stamp", "subject", "last_operations"} & set(copy["member"])
    history = person.api("GET", "/v1/me/consents/history").json()["consents"]
    assert history == copy["consents"]


def test_what_a_profile_lacks_is_told(someone: Someone) -> None:
    """The wanted fields that are empty; filling one is seen at once."""
    person = someone.join()
    shown = person.api("GET", "/v1/me/completeness").json()
    assert shown == {"missing": ["email", "birth_date"], "required": [], "percent": 60}
    person.api("PATCH", "/v1/me", json={"birth_date": "1990-05-17"})
    assert person.api("GET", "/v1/me/completeness").json()["missing"] == ["email"]
