"""What only SugarCRM does: sync_keys and who may use them, one session, addresses in an array,
zones, locks of a second, a portal that checks passwords."""

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import requests

from adapters.base import Criterion
from adapters.conformance import World
from adapters.conformance.trouble import Trouble
from adapters.conformance.world import member, new_id, read
from adapters.conformance.writing import Writing
from adapters.errors import (
    BadCredentials,
    BadMapping,
    Conflict,
    Invalid,
    Malformed,
    NotFound,
    StaleVersion,
)
from tests.conformance.sugarcrm import OwnIdsWorld, SugarWorld, WriterWorld, sugarcrm

__all__ = ["sugarcrm"]


class TestWithoutUpserts(Writing, Trouble):
    """Writes of a user who is no administrator."""

    @pytest.fixture
    def world(self, sugarcrm, tmp_path) -> World:
        """Empty."""
        return WriterWorld(sugarcrm, tmp_path)


class TestOwnIds(Writing, Trouble):
    """Writes where our id is Sugar's own."""

    @pytest.fixture
    def world(self, sugarcrm, tmp_path) -> World:
        """Empty."""
        return OwnIdsWorld(sugarcrm, tmp_path)


@pytest.fixture
def world(sugarcrm, tmp_path):
    """Empty."""
    return SugarWorld(sugarcrm, tmp_path)


@pytest.fixture
def crm(world):
    """The adapter."""
    made = world.adapter()
    yield made
    made.close()


def _calls(world):
    return world.sandbox.control("GET", "state")["tokens"]["calls"]


def _login(world, platform, client="sugar"):
    """As somebody else's program would sign in as our user."""
    url = f"{world.options['url']}/rest/v11/oauth2/token"
    sent = {
        "grant_type": "password",
        "client_id": client,
        "client_secret": "",
        "platform": platform,
        **world.credential,
    }
    answer = requests.post(url, json=sent, verify=world.options["ca_file"], timeout=10)
    answer.raise_for_status()


def test_our_id_is_the_sync_key(crm, world):
    """A create is an upsert by our id; Sugar gives the record an id of its own."""
    made = member(crm, given_name="Ann")
    (row,) = world.sandbox.control("GET", "state")["tables"]["Contacts"]
    assert row["sync_key"] == made.id
    assert row["id"] != made.id
    methods = [(seen.method, seen.target) for seen in world.seen() if not world.reads(seen)]
    assert methods == [("PATCH", f"/rest/v11_10/Contacts/sync_key/{made.id}")]


def test_a_record_that_staff_made(crm, world):
    """It has no sync_key and is known by Sugar's own id, also where a lookup names it."""
    own = world.sandbox.control("POST", "seed", {"Contacts": [{"last_name": "Lee"}]})
    own = own["result"]["Contacts"][0]
    found = crm.get("member", own, ("family_name",))
    assert (found.id, found.record) == (own, {"family_name": "Lee"})
    done = crm.update("member", own, {"given_name": "Ann"}, found.version)
    row = crm.create("identity", new_id(), {"kind": "mobile", "member": own})
    brought = crm.get("identity", row.id, ("member.given_name",)).lookups["member"]
    assert (brought.id, brought.record) == (own, {"given_name": "Ann"})
    crm.erase("member", own, done.version)
    with pytest.raises(NotFound):
        crm.get("member", own, ())


def test_an_upsert_that_came_late_changes_nothing(crm, world):
    """Where somebody made the record since it was looked for, the lock of long ago refuses."""
    made = member(crm, given_name="Ann")
    crm._held = lambda *given: ""
    with pytest.raises(Conflict):
        crm.create("member", made.id, {"given_name": "Bob"})
    assert read(crm, made, "given_name") == {"given_name": "Ann"}


def test_without_upserts_they_are_tried_once(sugarcrm, tmp_path):
    """A user who may not upsert is told so once; then a create is a search and a POST."""
    world = WriterWorld(sugarcrm, tmp_path)
    crm = world.adapter()
    for _ in range(2):
        member(crm, given_name="Ann")
    methods = [seen.method for seen in world.seen() if not world.reads(seen)]
    assert methods == ["PATCH", "POST", "POST"]


def test_an_instance_without_upserts(world, crm):
    """A path that the instance doesn't know is no reason to stop: the same fallback."""
    world.sandbox.control(
        "POST",
        "faults",
        {"kind": "status", "status": 404, "code": "no_method", "match": {"method": "PATCH"}},
    )
    made = member(crm, given_name="Ann")
    assert read(crm, made, "given_name") == {"given_name": "Ann"}


@pytest.mark.parametrize("end", ["expire", "forget"])
def test_which_grant_mends_what(crm, world, end):
    """An access token that ended is refreshed, without a password; a session that is gone isn't
    refreshed twice, but opened anew."""
    made = member(crm, given_name="Ann")
    before = _calls(world)
    world.sandbox.control("POST", "tokens", {end: True})
    assert read(crm, made, "given_name") == {"given_name": "Ann"}
    after = _calls(world)
    assert after.get("refresh_token", 0) == before.get("refresh_token", 0) + 1
    logins = 0 if end == "expire" else 1
    assert after["password"] == before["password"] + logins


def test_a_second_login_ends_ours(crm, world):
    """One session per user and platform: ours is opened again; another platform disturbs nobody."""
    made = member(crm, given_name="Ann")
    before = world.token_calls()
    _login(world, "mobile")
    assert read(crm, made, "given_name") == {"given_name": "Ann"}
    assert world.token_calls() == before + 1  # the other's own
    _login(world, world.options["platform"])
    assert read(crm, made, "given_name") == {"given_name": "Ann"}


@pytest.mark.parametrize(
    ("options", "credential", "kind", "code"),
    [
        ({}, {"password": "WRONGpass1"}, BadCredentials, "need_login"),
        ({"platform": "unheard-of"}, {}, BadCredentials, "invalid_parameter"),
        ({"api_version": "v11_99"}, {}, BadMapping, "incorrect_version"),
    ],
)
def test_misconfigured(world, caplog, options, credential, kind, code):
    """Each names Sugar's own label, and nothing of what was sent."""
    caplog.set_level(0)
    crm = world.adapter(
        options={**world.options, **options}, credential={**world.credential, **credential}
    )
    with pytest.raises(kind) as caught:
        crm.ping()
    assert caught.value.remote_code == code
    assert "WRONGpass1" not in f"{caught.value!r}{vars(caught.value)}{caplog.text}"


@pytest.mark.parametrize("array", ["replace", "merge"])
def test_an_address_is_changed_and_the_others_stay(crm, world, array):
    """Whether an array replaces or adds: the new one is primary, others keep their opt-out."""
    world.set(email_array=array)
    made = member(crm, email="a@example.com")
    own = world.sandbox.control("GET", "state")["tables"]["Contacts"][0]["id"]
    second = {"email_address": "b@example.com", "opt_out": True, "primary_address": False}
    first = {"email_address": "a@example.com", "primary_address": True}
    crm._client.turn().call("PUT", f"Contacts/{own}?fields=id", {"email": [first, second]})
    version = crm.get("member", made.id, ()).version
    done = crm.update("member", made.id, {"email": "c@example.com"}, version, returning=("email",))
    assert done.record == {"email": "c@example.com"}
    (row,) = world.sandbox.control("GET", "state")["tables"]["Contacts"]
    held = {each["email_address"]: each for each in row["email"]}
    assert held["c@example.com"]["primary_address"] is True
    assert held["b@example.com"]["opt_out"] is True
    assert crm.find("member", "email", "c@example.com", ()).id == made.id


def test_an_address_is_emptied_or_it_is_not_done(crm, world):
    """Where an empty array leaves the addresses, the change is refused by the field's name."""
    made = member(crm, email="a@example.com")
    done = crm.update("member", made.id, {"email": None}, made.version, returning=("email",))
    assert done.record == {"email": None}
    world.set(email_array="merge")
    made = member(crm, email="a@example.com")
    with pytest.raises(Invalid) as caught:
        crm.update("member", made.id, {"email": None, "given_name": "Ann"}, made.version)
    assert caught.value.fields == ("email",)
    assert read(crm, made, "email", "given_name") == {"email": "a@example.com", "given_name": None}


@pytest.mark.parametrize("flags", ["json", "text"])
def test_consents_of_sugars_own(crm, world, flags):
    """A multi-select goes out and comes back as a list, a box that says no as yes; emptied too."""
    world.set(email_flags=flags)
    ext = {"business_purposes": ["Marketing Communications", "Profiling"], "may_call": False}
    made = member(crm, ext=ext, email="a@example.com")
    assert read(crm, made, "ext.business_purposes", "ext.may_call", "email") == {
        "ext": ext,
        "email": "a@example.com",
    }
    crm.update("member", made.id, {"ext": {"business_purposes": None}}, made.version)
    assert read(crm, made, "ext.business_purposes") == {"ext": {"business_purposes": None}}


def test_empty_goes_out_as_an_empty_text(crm, world):
    """A null would be passed over (`null_clears: false`): the field would keep its value."""
    made = member(crm, given_name="Ann", gender="male")
    world.forget()
    crm.update("member", made.id, {"given_name": None, "gender": "undisclosed"}, made.version)
    (sent,) = [world.written(seen) for seen in world.seen() if seen.method == "PUT"]
    assert sent == {"first_name": "", "cb_gender_c": ""}


def test_zones(crm, world):
    """The same instants and versions, whatever zone the API user is in."""
    moment = datetime(2026, 3, 1, 1, 30, 59, tzinfo=UTC)
    made = member(crm, member_since=moment)
    world.sandbox.control("POST", "users", {"admin": {"zone": "America/New_York"}})
    found = crm.get("member", made.id, ("member_since",))
    assert found.record == {"member_since": moment}
    assert found.version == made.version
    done = crm.update("member", made.id, {"given_name": "Ann"}, found.version)
    assert crm.get("member", made.id, ("member_since",)).record == {"member_since": moment}
    assert done.version != made.version


def test_two_writes_within_a_second(crm, world):
    """The clock of Sugar's lock ticks by the second; the stamp tells such writes apart."""
    world.sandbox.control("POST", "clock", {"set": 1_800_000_000})
    made = member(crm, given_name="Ann")
    other = crm.update("member", made.id, {"given_name": "Bob"}, made.version)
    with pytest.raises(StaleVersion):
        crm.update("member", made.id, {"given_name": "Cy"}, made.version)
    assert other.version != made.version
    world.sandbox.control("POST", "clock", {"set": None})


def test_overtaken_between_read_and_write(crm, world):
    """Sugar's own lock refuses what was read a second ago or more: StaleVersion, not done."""
    made = member(crm, given_name="Ann")
    real = crm._change

    def overtaken(binding, before, *given):
        before = {**before, "date_modified": "2020-01-01T00:00:00+00:00"}
        return real(binding, before, *given)

    crm._change = overtaken
    with pytest.raises(StaleVersion):
        crm.update("member", made.id, {"given_name": "Bob"}, made.version)
    crm._change = real
    assert read(crm, made, "given_name") == {"given_name": "Ann"}


def test_overtaken_between_write_and_answer(crm):
    """An answer that shows another's stamp doesn't say what became of ours."""
    made = member(crm, given_name="Ann")
    real = crm._change

    def other(*given):
        return {**real(*given), "cb_version_c": "other"}

    crm._change = other
    with pytest.raises(Malformed):
        crm.update("member", made.id, {"given_name": "Bob"}, made.version)


def test_an_answer_without_the_fields_is_read_again(crm):
    """An instance that answers a PUT with less than was asked for costs a request more."""
    made = member(crm, given_name="Ann")
    crm._echo = lambda *given: None
    done = crm.update("member", made.id, {"given_name": "Bob"}, made.version, returning=("state",))
    assert done.record == {"state": "active"}
    assert done.version == crm.get("member", made.id, ()).version


def test_a_version_column_that_is_not_there(world):
    """Sugar passes over names that it doesn't know; that is told at the first read."""
    kinds = dict(world.mapping.kinds)
    kinds["member"] = replace(kinds["member"], version="nosuch_c")
    made = member(world.adapter())
    world.mapping = replace(world.mapping, kinds=kinds)
    crm = world.adapter()
    with pytest.raises(BadMapping):
        crm.get("member", made.id, ())
    id = new_id()
    with pytest.raises(BadMapping):
        crm.create("member", id, {})
    assert len(world.sandbox.control("GET", "state")["tables"]["Contacts"]) == 1


def test_no_request_without_fields(crm, world):
    """Otherwise Sugar gives every column, a portal password's hash among them."""
    made = member(crm, given_name="Ann")
    crm.query("member", [Criterion("given_name", "eq", "Ann")], ())
    done = crm.update("member", made.id, {"given_name": "Bob"}, made.version)
    crm.erase("member", made.id, done.version)
    for seen in world.seen():
        named = "fields=" in seen.target or "fields" in (seen.body or {})
        assert named or "/sync_key/" in seen.target, seen.target


def test_pages_while_rows_are_added(crm, world):
    """Each once and none missed, while others are added: only an offset of -1 ends them."""
    rows = [{"last_name": "Lee", "sync_key": new_id()} for _ in range(200)]
    world.sandbox.control("POST", "seed", {"Contacts": rows})
    met, cursor, criteria = [], None, [Criterion("family_name", "eq", "Lee")]
    while True:
        page = crm.query("member", criteria, (), cursor=cursor, limit=30)
        met += [row.id for row in page.rows]
        cursor = page.cursor
        world.sandbox.control("POST", "seed", {"Contacts": [{"last_name": "Lee"}]})
        if cursor is None:
            break
    assert len(met) == len(set(met))
    assert set(met) >= {row["sync_key"] for row in rows}


@pytest.mark.parametrize("right", [True, False])
def test_no_session_of_the_members_is_left(crm, world, right):
    """A password is checked by a token of the portal, which is given back at once."""
    name, password = world.password()
    crm.ping()
    living = world.sandbox.control("GET", "state")["tokens"]["living"]
    taken = world.taken
    asked = {"name": name, "password": password if right else "wrong"}
    assert crm.run("check_password", asked) == {"right": right}
    assert world.sandbox.control("GET", "state")["tokens"]["living"] == living
    assert world.taken == taken + (2 if right else 1)


def test_a_portal_that_is_off(crm, world):
    """That is nobody's wrong password: an operator must act."""
    name, password = world.password()
    world.set(portal_enabled=False)
    with pytest.raises(BadCredentials) as caught:
        crm.run("check_password", {"name": name, "password": password})
    assert caught.value.remote_code == "portal_not_configured"


def test_one_of_twenty_refreshes(world):
    """20 adapters whose token ended make one refresh between them, and no login."""
    crms = [world.adapter(read_timeout=15) for _ in range(20)]
    made = member(crms[0], given_name="Ann")
    for crm in crms:
        read(crm, made, "given_name")
    before = _calls(world)
    world.expire_tokens()
    results = []
    threads = [
        threading.Thread(target=lambda crm=crm: results.append(read(crm, made, "given_name")))
        for crm in crms
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [{"given_name": "Ann"}] * 20
    after = _calls(world)
    assert after["refresh_token"] == before.get("refresh_token", 0) + 1
    assert after["password"] == before["password"]


def test_a_create_is_searched_for_first(crm, monkeypatch):
    """A module without Sugar's lock would let a repeated upsert change the record."""
    monkeypatch.setattr("adapters.sugarcrm.adapter._LOCK", "X-Passed-Over")
    made = member(crm, given_name="Ann")
    with pytest.raises(Conflict):
        crm.create("member", made.id, {"given_name": "Bob"})
    assert read(crm, made, "given_name") == {"given_name": "Ann"}
