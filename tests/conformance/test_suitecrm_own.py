"""What only SuiteCRM does: changes answered 201 and dropped, texts it changes, 500 for a wrong
password, JSON followed by text."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters.base import Criterion
from adapters.conformance.world import member, new_id, read
from adapters.errors import (
    BadCredentials,
    BadMapping,
    Conflict,
    Invalid,
    Malformed,
    NotFound,
    StaleVersion,
    Unsupported,
)
from tests.conformance.suitecrm import SuiteWorld, suitecrm

__all__ = ["suitecrm"]


@pytest.fixture
def world(suitecrm, tmp_path):
    """Empty."""
    return SuiteWorld(suitecrm, tmp_path)


@pytest.fixture
def crm(world):
    """The adapter."""
    made = world.adapter()
    yield made
    made.close()


def test_a_dropped_change_is_refused(crm):
    """A change of the e-mail that V8 drops is Invalid by its name, never done."""
    made = member(crm, email="a@example.com")
    with pytest.raises(Invalid) as caught:
        crm.update("member", made.id, {"email": "b@example.com"}, made.version)
    assert (caught.value.fields, caught.value.remote_code) == (("email",), "dropped")
    assert read(crm, made, "email") == {"email": "a@example.com"}


def test_what_stuck_beside_it_is_undone(crm):
    """Of a write that was dropped in part nothing stays: it is told as not done."""
    made = member(crm, email="a@example.com", given_name="Ann")
    with pytest.raises(Invalid):
        changes = {"email": "b@example.com", "given_name": "Bob", "family_name": "Lee"}
        crm.update("member", made.id, changes, made.version)
    assert read(crm, made, "email", "given_name", "family_name") == {
        "email": "a@example.com",
        "given_name": "Ann",
        "family_name": None,
    }


@pytest.mark.parametrize("text", ["a &amp; b", "&#39;", "<script>x</script>", "&lt;"])
def test_texts_that_it_would_change(crm, world, text):
    """They are Invalid by name before anything is sent."""
    world.forget()
    with pytest.raises(Invalid) as caught:
        member(crm, family_name=text)
    assert caught.value.fields == ("family_name",)
    assert world.seen() == []


def test_moments_go_out_without_a_t(crm, world):
    """ISO 8601 would be stored as NULL, with 201."""
    member(crm, member_since=datetime(2026, 12, 1, 10, 0, 31, tzinfo=UTC))
    (sent,) = [world.written(seen) for seen in world.seen() if seen.method == "POST"]
    assert sent == {"cb_registeredat_c": "2026-12-01 10:00:31"}


def test_two_writes_within_a_minute(crm):
    """Another write within the minute is seen by its stamp: both writers go through the bridge."""
    made = member(crm, given_name="Ann")
    other = crm.update("member", made.id, {"given_name": "Bob"}, made.version)
    assert other.version.split("~")[0] == made.version.split("~")[0]
    with pytest.raises(StaleVersion):
        crm.update("member", made.id, {"given_name": "Cy"}, made.version)


def test_two_writers_at_once(crm):
    """Whose write was overtaken before it was read back isn't told that it was done."""
    made = member(crm, given_name="Ann")
    real = crm._send

    def overtaken(*given):
        real(*given)
        crm._send = real
        data = {"type": "Contacts", "id": made.id, "attributes": {"cb_version_c": "other"}}
        crm._client.turn().call("PATCH", "module", {"data": data})

    crm._send = overtaken
    with pytest.raises(Malformed):
        crm.update("member", made.id, {"given_name": "Bob"}, made.version)


def test_a_deleted_id_is_taken(crm):
    """The soft delete keeps the id: a create that is repeated later is Conflict."""
    made = member(crm)
    crm.erase("member", made.id)
    with pytest.raises(Conflict):
        crm.create("member", made.id, {})


def test_lookup_to_a_deleted_record(crm):
    """V8 lets a lookup name a record that is gone; it then leads nowhere."""
    made = member(crm)
    row = crm.create("identity", new_id(), {"kind": "mobile", "member": made.id})
    crm.erase("member", made.id)
    found = crm.get("identity", row.id, ("member", "member.stamp"))
    assert found.record == {"member": made.id}
    assert found.lookups == {"member": None}


def test_pages_that_miss_no_row(crm):
    """Rows that a local comparison leaves out don't end the pages."""
    kept = {member(crm, given_name="x").id for _ in range(2)}
    for _ in range(5):
        member(crm, given_name="y")
    criteria = [Criterion("given_name", "in", ("x", "z"))]
    met, cursor = set(), None
    while True:
        page = crm.query("member", criteria, (), cursor=cursor, limit=2)
        met |= {row.id for row in page.rows}
        cursor = page.cursor
        if cursor is None:
            break
    assert met == kept


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "WRONGpass1"},
        {"username": "ghost-WRONGpass1"},
        {"client_id": "WRONGpass1"},
        {"client_secret": "WRONGpass1"},
    ],
)
def test_wrong_credentials(world, caplog, wrong):
    """A 500 that repeats the password is BadCredentials, and the password is nowhere in it."""
    caplog.set_level(0)
    credential = {**world.sandbox.ready["password_grant"], **wrong}
    with pytest.raises(BadCredentials) as caught:
        world.adapter(credential=credential).ping()
    told = f"{caught.value!r}{vars(caught.value)}{caplog.text}"
    assert "WRONGpass1" not in told
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_password_grant(world):
    """A client of the password grant serves as well, without ever using its refresh token."""
    crm = world.adapter(credential=world.sandbox.ready["password_grant"])
    made = member(crm, given_name="Ann")
    world.expire_tokens()
    assert read(crm, made, "given_name") == {"given_name": "Ann"}
    calls = world.sandbox.control("GET", "state")["tokens"]["calls"]
    assert "refresh_token" not in calls


@pytest.mark.parametrize("kind", ["html", "malformed", "status"])
def test_trouble_at_the_token_endpoint(world, kind):
    """It is no wrong credential: it may work later, and then does."""
    crm = world.adapter()
    rule = {"kind": kind, "status": 500, "match": {"path_prefix": "/Api/access_token"}}
    world.sandbox.control("POST", "faults", rule)
    with pytest.raises(Malformed):
        crm.ping()
    crm.ping()


def test_many_threads_one_first_token(world):
    """20 adapters that have no token yet make one token call between them."""
    made = member(world.adapter(), given_name="Ann")
    for kept in world.tokens._directory.iterdir():
        kept.unlink()
    crms = [world.adapter(read_timeout=15) for _ in range(20)]
    before, results = world.token_calls(), []
    threads = [
        threading.Thread(target=lambda crm=crm: results.append(read(crm, made, "given_name")))
        for crm in crms
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [{"given_name": "Ann"}] * 20
    assert world.token_calls() == before + 1


def test_one_deadline_for_all_requests_of_a_verb(world):
    """A verb of three requests has the time of one."""
    crm = world.adapter(read_timeout=1.0)
    made = member(crm, given_name="Ann")
    world.fault("slow", seconds=0.6, times=3)
    began = time.monotonic()
    with pytest.raises(Exception) as caught:
        crm.update("member", made.id, {"given_name": "Bob"}, made.version)
    assert type(caught.value).__name__ == "TimedOut"
    assert time.monotonic() - began < 1.5


def test_wrong_version_column(world):
    """A version column that the server doesn't have is BadMapping at once."""
    options = {**world.options, "version_column": "nosuch_c"}
    crm = world.adapter(options=options)
    with pytest.raises(BadMapping):
        crm.create("member", new_id(), {})


def test_nothing_of_a_refused_create_is_left(crm):
    """A record that didn't keep what it was given is taken back."""
    id = new_id()
    real = crm._read

    def losing(*given):
        row = real(*given)
        return {**row, "first_name": ""}

    crm._read = losing
    with pytest.raises(Invalid):
        crm.create("member", id, {"given_name": "Ann"})
    crm._read = real
    with pytest.raises(NotFound):
        crm.get("member", id, ())


def test_an_undo_that_does_not_stick(crm):
    """What couldn't be put back isn't told as not done."""
    made = member(crm, email="a@example.com", given_name="Ann")
    real, calls = crm._send, []

    def once(*given):
        calls.append(given)
        if len(calls) == 1:
            real(*given)

    crm._send = once
    with pytest.raises(Malformed):
        changes = {"email": "b@example.com", "given_name": "Bob"}
        crm.update("member", made.id, changes, made.version)


def test_another_record_than_asked_for(crm):
    """An answer about somebody else is none."""
    other = member(crm, given_name="Ann")
    real, root = crm._client.caller.send, crm._client.root
    crm._client.caller.send = lambda request, end: real(
        replace(
            request, target=f"{root}module/Contacts/{other.id}?{request.target.partition('?')[2]}"
        ),
        end,
    )
    with pytest.raises(Malformed):
        crm.get("member", new_id(), ("given_name",))


def test_collections_of_several_pages(crm, monkeypatch):
    """All rows of a collection come, however many answers they take."""
    monkeypatch.setattr(crm, "largest_page", 2)
    made = member(crm)
    for name in "abcde":
        crm.create("consent", new_id(), {"member": made.id, "purpose": name})
    rows = crm.get("member", made.id, ("consents.purpose",)).collections["consents"]
    assert sorted(row.record["purpose"] for row in rows) == list("abcde")


def test_no_step_onward_from_an_update(crm):
    """`returning` gives the record's own fields; nothing is written otherwise."""
    made = member(crm, given_name="Ann")
    with pytest.raises(Unsupported):
        crm.update(
            "member", made.id, {"given_name": "x"}, made.version, returning=("consents.purpose",)
        )
    assert read(crm, made, "given_name") == {"given_name": "Ann"}
