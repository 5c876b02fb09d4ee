"""Browser sessions on a real server: sealed, rotated at sign-in, gone when ended."""

import pytest

from bridge.seal import Keyring
from bridge.store.grants import digest
from bridge.store.sessions import MAX_GRANTS, MAX_PARKED, Session, Sessions, SignedIn
from tests.support.tokens import tokens_server, web

WHO = SignedIn("canary-member", "canary-subject", 100, ("pwd",), "aal1", "digest", 2)


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with tokens_server(tmp_path_factory.mktemp("tokens") / "t") as running:
        yield web(running)


@pytest.fixture
def sessions(redis):
    return Sessions(redis, Keyring([("k1", b"k" * 32)]))


@pytest.fixture
def session(sessions) -> Session:
    made = sessions.new()
    sessions.start(made)
    return made


def test_a_session_comes_back_whole(sessions, session):
    """What was saved is loaded by the cookie's value."""
    session.data["lang"] = "en"
    handle = session.park({"client_id": "portal", "state": "x"}, 123.9)
    assert sessions.save(session)
    assert sessions.load(session.id) == session
    assert session.parked[handle].at == 123
    assert sessions.load("other") is None
    assert sessions.load(None) is None


def test_signing_in_changes_the_id_and_the_csrf_token(sessions, session):
    """A session id that somebody planted before is worth nothing after (fixation)."""
    before, csrf, binding = session.id, session.csrf, session.binding
    sessions.sign_in(session, WHO)
    assert sessions.load(before) is None
    assert session.id != before
    assert session.csrf != csrf
    assert session.binding == binding
    assert sessions.load(session.id).signed_in == WHO


def test_another_member_does_not_inherit_grants(sessions, session):
    """Whoever signs in after somebody else in one browser doesn't end the other's grants."""
    sessions.sign_in(session, WHO)
    assert sessions.note_grant(session, "g1")
    sessions.sign_in(session, WHO)
    assert session.grants == sessions.load(session.id).grants == ["g1"]
    sessions.sign_in(session, SignedIn("somebody", "s", 1, (), "aal1"))
    assert session.grants == sessions.load(session.id).grants == []


def test_grants_given_at_once_are_all_noted(sessions, session):
    """Two tabs load the session, each gets its grant, a third saves: signing out ends both."""
    sessions.sign_in(session, WHO)
    tabs = [sessions.load(session.id) for _ in range(3)]
    assert sessions.note_grant(tabs[0], "g1")
    assert sessions.note_grant(tabs[1], "g2")
    assert sessions.save(tabs[2])
    assert sorted(sessions.sign_out(session)) == ["g1", "g2"]


def test_only_the_newest_grants_are_kept(sessions, session):
    """A browser can't fill its session."""
    for n in range(MAX_GRANTS + 2):
        assert sessions.note_grant(session, f"g{n}")
    kept = sessions.load(session.id).grants
    assert (len(kept), f"g{MAX_GRANTS + 1}" in kept) == (MAX_GRANTS, True)


def test_a_late_save_does_not_bring_an_ended_session_back(sessions, session):
    """Ending wins over a request that was under way."""
    late = sessions.load(session.id)
    sessions.end(session)
    assert not sessions.save(late)
    assert not sessions.note_grant(late, "g1")
    assert sessions.load(session.id) is None


def test_a_late_save_does_not_bring_a_sign_in_back(sessions, session):
    """After signing out the old id is nobody's, and no code is given to it; the visit goes on under
    a new one, with nobody signed in."""
    sessions.sign_in(session, WHO)
    late = sessions.load(session.id)
    sessions.sign_out(session)
    sessions.start(session)
    assert not sessions.save(late)
    assert not sessions.note_grant(late, "g1")
    assert sessions.load(late.id) is None
    assert (session.id, session.csrf) != (late.id, late.csrf)
    assert sessions.load(session.id).signed_in is None


def test_only_the_sessions_own_csrf_token_holds(session):
    """A missing, empty or foreign token doesn't."""
    assert session.csrf_holds(session.csrf)
    assert not any(session.csrf_holds(token) for token in (None, "", "x", session.csrf + "x"))


def test_only_the_newest_parked_requests_are_kept(session):
    """A browser can't fill its session."""
    handles = [session.park({"state": str(n)}, 0) for n in range(MAX_PARKED + 2)]
    assert list(session.parked) == handles[2:]


def test_what_rests_is_sealed_to_its_place_and_expires(sessions, redis, session):
    """Neither member nor cookie is in Redis, and a record copied to another key doesn't open."""
    sessions.sign_in(session, WHO)
    _, keys = redis.do("SCAN", 0, "COUNT", 10_000)
    for key in keys:
        assert 0 < redis.do("TTL", key) <= 1800
        assert session.id not in key
        fields = redis.do("HGETALL", key)
        assert "canary" not in str(fields)
        redis.do("HSET", f"sess:{digest('planted')}", "rec", fields["rec"])
        redis.do("EXPIRE", f"sess:{digest('planted')}", 60)
        assert sessions.load("planted") is None


def test_the_cookie_is_host_only_secure_and_unreadable_to_scripts(sessions, redis, session):
    """`__Host-` with all that it demands; without Secure only where it is switched off."""
    assert sessions.cookie(session) == {
        "key": "__Host-as",
        "value": session.id,
        "path": "/",
        "secure": True,
        "httponly": True,
        "samesite": "Lax",
    }
    plain = Sessions(redis, Keyring([("k1", b"k" * 32)]), secure=False)
    assert (plain.cookie_name, plain.cookie(session)["secure"]) == ("as", False)
