"""Codes, grants and tokens on a real server: once, in any order, whoever races."""

import itertools
import time
from dataclasses import replace

import pytest

from bridge.seal import Keyring, Mac, Pseudonyms
from bridge.store import prefix_of
from bridge.store.caller_cache import CallerCache
from bridge.store.connection import Redis, StoreDown
from bridge.store.grants import Authorization, Caller, Code, Grants, Lives, digest
from tests.support.tokens import at_once, tokens_server, wait_alive, web

MEMBER = "canary-member-0b1c"
ALLOWED = Authorization(
    client_id="portal",
    scope=frozenset({"openid", "member:read"}),
    audience=("https://members.example",),
    member_id=MEMBER,
    subject="canary-subject",
    auth_time=100,
    amr=("pwd",),
    acr="aal1",
    stamp="stamp-digest",
)
CODE = Code(ALLOWED, "https://www.example/cb", "c" * 43, "nonce-1")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with tokens_server(tmp_path_factory.mktemp("tokens") / "t") as running:
        yield running


@pytest.fixture
def redis(server) -> Redis:
    return web(server)


def make(redis: Redis, clock=None, lives=None, **kwargs) -> Grants:
    arguments = {"clock": clock} if clock else {}
    return Grants(
        redis,
        Keyring([("k1", b"k" * 32)]),
        Pseudonyms(b"n" * 32),
        Mac([("r1", b"r" * 32)]),
        lives or Lives(),
        **arguments,
        **kwargs,
    )


@pytest.fixture
def member():
    """A member of this test's own, so that tests don't end each other's grants."""
    return f"{MEMBER}-{next(_numbers)}"


_numbers = itertools.count()


@pytest.fixture
def code(member) -> Code:
    return replace(
        CODE, authorization=replace(ALLOWED, member_id=member), grant_id=f"grant-{next(_numbers)}"
    )


def redeem(grants: Grants, code: Code, client: str = "portal"):
    secret = grants.new_code(code)
    found = grants.look(secret, client)
    return secret, found and grants.redeem(secret, found, refreshable=True)


def test_a_code_gives_tokens_that_carry_what_was_approved(redis, code, member):
    """A redeemed code's access token says who approved what, to whom, and when."""
    grants = make(redis)
    _, issued = redeem(grants, code)
    caller = grants.check(issued.access_token)
    assert caller == Caller(
        client_id="portal",
        grant_id=code.grant_id,
        member_id=member,
        scope=ALLOWED.scope,
        audience=ALLOWED.audience,
        auth_time=100,
        amr=("pwd",),
        acr="aal1",
        stamp="stamp-digest",
        subject="canary-subject",
        issued_at=caller.issued_at,
        expires_at=caller.issued_at + 600,
    )


def test_24_redemptions_of_one_code_give_one_grant_which_the_replays_end(redis, code):
    """Of parallel uses one wins, and the others, being replays, end what it got."""
    grants = make(redis)
    secret = grants.new_code(code)
    found = grants.look(secret, "portal")
    results = at_once(24, lambda: grants.redeem(secret, found, refreshable=True))
    won = [issued for issued in results if issued]
    assert len(won) == 1
    assert grants.check(won[0].access_token) is None
    assert grants.of_refresh_token(won[0].refresh_token) is None


def test_a_replayed_code_ends_the_grant_of_the_first_use(redis, code):
    """RFC 6749 section 4.1.2: a second use revokes what the first gave, sequentially too."""
    grants = make(redis)
    secret, issued = redeem(grants, code)
    assert grants.check(issued.access_token)
    assert grants.look(secret, "portal") is None
    assert grants.check(issued.access_token) is None


def test_another_clients_try_neither_burns_nor_ends_anything(redis, code):
    """A wrong client sees nothing, before the use and after it, and changes nothing."""
    grants = make(redis)
    secret = grants.new_code(code)
    assert grants.look(secret, "thief") is None
    found = grants.look(secret, "portal")
    issued = grants.redeem(secret, found, refreshable=True)
    assert grants.look(secret, "thief") is None
    assert grants.check(issued.access_token)
    theirs = replace(found, authorization=replace(found.authorization, client_id="thief"))
    assert grants.redeem(secret, theirs, refreshable=True) is None
    assert grants.check(issued.access_token)


def test_a_code_from_before_a_sign_out_everywhere_gives_nothing(redis, code, member):
    """A sign-in that races a reset doesn't survive it: the epoch is compared at redemption."""
    grants = make(redis)
    secret = grants.new_code(code)
    found = grants.look(secret, "portal")
    grants.revoke_member(member)
    assert grants.redeem(secret, found, refreshable=True) is None


def test_a_code_that_ended_meanwhile_gives_nothing(redis, code):
    """Looked at in time, redeemed too late."""
    grants = make(redis)
    secret = grants.new_code(code)
    found = grants.look(secret, "portal")
    redis.do("DEL", f"code:{digest(secret)}")
    assert grants.redeem(secret, found, refreshable=True) is None


def test_a_raised_epoch_alone_ends_tokens_and_a_missing_grant_alone_too(redis, code, member):
    """Two marks of a sign-out everywhere, each enough, should the other be lost."""
    grants = make(redis)
    _, issued = redeem(grants, code)
    uid = redis.do("HGET", f"gr:{code.grant_id}", "uid")
    grant = grants.of_refresh_token(issued.refresh_token)
    redis.do("SET", f"ep:{uid}", 7, "EX", 60)
    assert grants.check(issued.access_token) is None
    assert grants.rotate(grant, "portal") is None
    redis.do("DEL", f"ep:{uid}")
    _, again = redeem(grants, replace(code, grant_id=code.grant_id + "b"))
    grants.revoke_member(member)
    redis.do("DEL", f"ep:{uid}")
    assert grants.check(again.access_token) is None
    assert grants.of_refresh_token(again.refresh_token) is None


def test_24_refreshes_without_leeway_give_one_success_and_a_dead_family(redis, code):
    """Reuse detection: only one of parallel uses succeeds, and the grant is over."""
    grants = make(redis)
    _, issued = redeem(grants, code)
    grant = grants.of_refresh_token(issued.refresh_token)
    results = [r for r in at_once(24, lambda: grants.rotate(grant, "portal")) if r]
    assert len(results) == 1
    assert grants.check(results[0].access_token) is None
    assert grants.of_refresh_token(results[0].refresh_token) is None


def test_24_refreshes_within_the_leeway_give_one_successor(redis, code):
    """A retry gets the same next refresh token, so a lost answer costs no session."""
    grants = make(redis)
    _, issued = redeem(grants, code)
    grant = grants.of_refresh_token(issued.refresh_token)
    results = at_once(24, lambda: grants.rotate(grant, "portal", leeway=10))
    assert all(results)
    assert len({r.refresh_token for r in results}) == 1
    assert all(grants.check(r.access_token) for r in results)


def test_an_old_generation_ends_the_grant_even_with_leeway(redis, code):
    """The leeway covers the token before the current one; anything older is reuse."""
    grants = make(redis)
    _, first = redeem(grants, code)
    grant = grants.of_refresh_token(first.refresh_token)
    second = grants.rotate(grant, "portal", leeway=10)
    third = grants.rotate(grants.of_refresh_token(second.refresh_token), "portal", leeway=10)
    assert grants.rotate(grant, "portal", leeway=10) is None
    assert grants.check(third.access_token) is None
    assert grants.of_refresh_token(third.refresh_token) is None


def test_an_edited_generation_is_refused_and_ends_nothing(redis, code):
    """A refresh token whose text was changed is nobody's; the family goes on."""
    grants = make(redis)
    _, issued = redeem(grants, code)
    version, gid, _, mac = issued.refresh_token.split(".")
    for forged in (f"{version}.{gid}.7.{mac}", f"{version}.{gid}.0.{'A' * 43}", "v1.x.y.z", "é"):
        assert grants.of_refresh_token(forged) is None
    assert grants.of_refresh_token(issued.refresh_token)


def test_another_client_cannot_rotate_and_does_not_end_the_grant(redis, code):
    """A stolen refresh token in another client's hand is refused without harm to the owner."""
    grants = make(redis)
    _, issued = redeem(grants, code)
    grant = grants.of_refresh_token(issued.refresh_token)
    assert grants.rotate(grant, "thief") is None
    assert grants.rotate(grant, "portal")


def test_a_rotation_that_redis_lost_is_taken_forward_once(redis, code):
    """After a failover the stored generation is one behind the client's; its MAC vouches."""
    grants = make(redis)
    _, first = redeem(grants, code)
    second = grants.rotate(grants.of_refresh_token(first.refresh_token), "portal")
    redis.do("HSET", f"gr:{code.grant_id}", "gen", 0)
    third = grants.rotate(grants.of_refresh_token(second.refresh_token), "portal")
    assert third
    assert grants.rotate(grants.of_refresh_token(first.refresh_token), "portal") is None


def test_a_refresh_can_narrow_the_scope_but_not_widen_it(redis, code):
    """RFC 6749 section 6: at most what was granted, and the grant itself keeps all of it."""
    grants = make(redis)
    _, issued = redeem(grants, code)
    grant = grants.of_refresh_token(issued.refresh_token)
    narrow = grants.rotate(grant, "portal", scope=frozenset({"openid", "member:write"}))
    assert grants.check(narrow.access_token).scope == {"openid"}
    assert grants.of_refresh_token(narrow.refresh_token).authorization.scope == ALLOWED.scope


def test_signing_out_everywhere_ends_all_grants_and_later_ones_live(redis, member, code):
    """Every grant of the member dies at once, nobody else's, and a new sign-in works."""
    grants = make(redis)
    mine = [redeem(grants, replace(code, grant_id=f"{code.grant_id}-{n}"))[1] for n in range(3)]
    other = replace(code.authorization, member_id=member + "-other")
    theirs = redeem(grants, replace(code, authorization=other, grant_id=code.grant_id + "o"))[1]
    assert len(grants.revoke_member(member)) == 3
    assert [grants.check(issued.access_token) for issued in mine] == [None] * 3
    assert grants.check(theirs.access_token)
    anew = replace(code.authorization, epoch=grants.epoch(member))
    again = redeem(grants, replace(code, authorization=anew, grant_id=code.grant_id + "n"))[1]
    assert grants.check(again.access_token)
    assert grants.rotate(grants.of_refresh_token(again.refresh_token), "portal")


def test_revoking_a_refresh_token_ends_its_grant_and_an_access_token_only_itself(redis, code):
    """RFC 7009 section 2.1, and only for the client that it was given to."""
    grants = make(redis)
    _, issued = redeem(grants, code)
    grants.revoke(issued.access_token, "thief")
    grants.revoke(issued.refresh_token, "thief")
    assert grants.check(issued.access_token)
    grants.revoke(issued.access_token, "portal")
    assert grants.check(issued.access_token) is None
    rotated = grants.rotate(grants.of_refresh_token(issued.refresh_token), "portal")
    grants.revoke(rotated.refresh_token, "portal")
    assert grants.check(rotated.access_token) is None
    grants.revoke("anything", "portal")


def test_a_clients_own_token_names_no_member(redis):
    """Client credentials: no member, no grant, and it can be revoked."""
    grants = make(redis)
    issued = grants.issue_client_token("cms", frozenset({"x"}), ("https://members.example",))
    caller = grants.check(issued.access_token)
    assert (caller.member_id, caller.subject, caller.grant_id) == (None, None, "")
    assert issued.refresh_token is None
    grants.revoke(issued.access_token, "cms")
    assert grants.check(issued.access_token) is None


def test_no_token_outlives_the_grants_absolute_end(redis, code):
    """Rotation prolongs the idle life, never the absolute one."""
    now = [time.time()]
    grants = make(redis, clock=lambda: now[0], lives=Lives(absolute=700, idle=7 * 86_400))
    _, issued = redeem(grants, code)
    now[0] += 300
    rotated = grants.rotate(grants.of_refresh_token(issued.refresh_token), "portal")
    assert rotated.expires_in == 400
    assert redis.do("TTL", f"gr:{code.grant_id}") <= 700


def test_an_expired_token_is_refused_by_our_clock_too(redis, code):
    """A record that Redis still has is not good past its end."""
    now = [time.time()]
    grants = make(redis, clock=lambda: now[0])
    _, issued = redeem(grants, code)
    now[0] += 601
    assert grants.check(issued.access_token) is None


def test_a_record_moved_or_relabelled_in_redis_is_refused(redis, code):
    """Whoever writes to Redis can't give one token another's rights, or tie it to a live grant."""
    grants = make(redis)
    _, issued = redeem(grants, code)
    key = f"at:{digest(issued.access_token)}"
    record = redis.do("GET", key)
    redis.do("SET", f"at:{digest('mine')}", record, "EX", 60)
    assert grants.check("mine") is None
    _, rest = record.split("|", 1)
    redis.do("HSET", "gr:other", "cid", "portal")
    redis.do("EXPIRE", "gr:other", 60)
    redis.do("SET", key, f"other|{rest}", "EX", 60)
    assert grants.check(issued.access_token) is None
    redis.do("COPY", f"gr:{code.grant_id}", "gr:copied")
    redis.do("EXPIRE", "gr:copied", 60)
    forged = make(redis)._refresh_token("copied", 0)
    assert grants.of_refresh_token(forged) is None


def test_a_label_that_stands_in_clear_revives_nothing(redis, code, member):
    """A writer of Redis who lifts a grant's epoch to one after a sign-out everywhere, or gives it
    to a member who hasn't signed out, gets neither an answer nor new tokens."""
    grants, key = make(redis), f"gr:{code.grant_id}"
    _, issued = redeem(grants, code)
    grant = grants.of_refresh_token(issued.refresh_token)
    uid = redis.do("HGET", key, "uid")
    redis.do("SET", f"ep:{uid}", 7, "EX", 60)
    redis.do("HSET", key, "ep", 7)
    assert grants.check(issued.access_token) is None
    redis.do("HSET", key, "ep", 0, "uid", "somebody-else")
    assert grants.check(issued.access_token) is None
    redis.do("HSET", key, "ep", 7)
    assert grants.rotate(grant, "portal") is None


def test_nothing_of_the_member_is_in_redis_and_every_key_is_on_the_list(redis, code, member):
    """Keys are on the closed list with a time to live; no value shows member or subject."""
    grants = make(redis)
    redeem(grants, code)
    grants.new_code(code)
    grants.revoke_member(member)
    redeem(grants, replace(code, authorization=replace(code.authorization, epoch=1)))
    for key in _scan(redis):
        prefix = prefix_of(key)
        assert prefix is not None and prefix.role == "tokens", key
        assert 0 < redis.do("TTL", key) <= prefix.ttl, key
        assert redis.do("TYPE", key) == prefix.type
        assert "canary" not in key + repr(_content(redis, key))


def _scan(redis: Redis) -> list[str]:
    cursor, found = "0", []
    while True:
        cursor, keys = redis.do("SCAN", cursor, "COUNT", 1000)
        found += keys
        if str(cursor) == "0":
            return found


def _content(redis: Redis, key: str):
    kind = redis.do("TYPE", key)
    reads = {"string": ("GET", key), "hash": ("HGETALL", key)}
    return redis.do(*reads.get(kind, ("ZRANGE", key, 0, -1)))


def test_a_dead_redis_is_store_down_without_a_word(redis):
    """Trouble refuses and quotes nothing."""
    dead = make(Redis("redis://127.0.0.1:1/0", timeout=0.2))
    with pytest.raises(StoreDown) as caught:
        dead.check("secret-token")
    assert str(caught.value) == ""
    assert caught.value.__cause__ is None


# -- the cache in the process ---------------------------------------------------------------------


@pytest.fixture
def cached(redis):
    cache = CallerCache(redis)
    assert wait_alive(cache)
    yield make(redis, cache=cache), cache
    cache.close()


def counted(redis: Redis, monkeypatch) -> list:
    calls = []
    real = redis.client.execute_command
    monkeypatch.setattr(
        redis.client, "execute_command", lambda *a, **k: calls.append(a[0]) or real(*a, **k)
    )
    return calls


def test_a_check_is_one_round_trip_and_then_none(redis, code, cached, monkeypatch):
    """The first check asks Redis once; the next ones not at all."""
    grants, _ = cached
    _, issued = redeem(grants, code)
    _settle(grants)
    calls = counted(redis, monkeypatch)
    first = grants.check(issued.access_token)
    assert len(calls) == 1
    assert grants.check(issued.access_token) == first
    assert len(calls) == 1


@pytest.mark.parametrize("how", ["grant", "member", "token", "refresh"])
def test_a_revocation_elsewhere_reaches_this_process_at_once(
    redis, server, code, member, cached, how
):
    """Another process revokes; within a quarter of a second this one refuses."""
    grants, cache = cached
    _, issued = redeem(grants, code)
    _settle(grants)
    assert grants.check(issued.access_token)
    assert cache.get(digest(issued.access_token), 0)
    elsewhere = make(web(server))
    {
        "grant": lambda: elsewhere.revoke_grant(code.grant_id),
        "member": lambda: elsewhere.revoke_member(member),
        "token": lambda: elsewhere.revoke(issued.access_token, "portal"),
        "refresh": lambda: elsewhere.revoke(issued.refresh_token, "portal"),
    }[how]()
    assert _soon(lambda: grants.check(issued.access_token) is None, 0.25)


def test_a_lost_tracking_connection_empties_the_cache(redis, server, code, cached):
    """While changes can't reach us nothing is believed; afterwards it is kept again."""
    grants, cache = cached
    _, issued = redeem(grants, code)
    _settle(grants)
    grants.check(issued.access_token)
    server.child.stop()
    server.restart()
    assert _soon(lambda: not cache.alive or cache.get(digest(issued.access_token), 0) is None, 2)
    redis.do("DEL", f"gr:{code.grant_id}")
    assert grants.check(issued.access_token) is None
    assert _soon(lambda: cache.alive, 3)


def test_what_was_read_before_a_change_is_not_kept_after_it(redis):
    """A value read while its key changed isn't put: the mark is older than the change."""
    cache = CallerCache(redis)
    assert wait_alive(cache)
    mark = cache.mark()
    redis.do("SET", "ep:race", 1, "EX", 5)
    assert _soon(lambda: cache.mark() > mark, 1)
    cache.put("n", "stale", 2**40, ["ep:race"], mark)
    assert cache.get("n", 0) is None
    cache.put("n", "fresh", 2**40, ["ep:race"], cache.mark())
    assert cache.get("n", 0) == "fresh"
    cache.close()


def test_the_cache_is_bounded_and_never_gives_what_expired(redis):
    """At most `size` entries, and none past its end."""
    cache = CallerCache(redis, size=3)
    assert wait_alive(cache)
    for number in range(5):
        cache.put(str(number), number, 100, [f"at:{number}"], cache.mark())
    assert [cache.get(str(n), 0) for n in range(5)] == [None, None, 2, 3, 4]
    assert cache.get("4", 100) is None
    cache.close()


def _settle(grants: Grants) -> None:
    """Let the announcements of the new keys arrive."""
    time.sleep(0.1)


def _soon(holds, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.005)
    return bool(holds())


# -- the member's own sessions ---------------------------------------------------------------------


def test_a_member_sees_what_is_signed_in(redis, member, code):
    """Each grant that lives, with its client and device; not what ended, nor anybody else's."""
    grants = make(redis)
    redeem(grants, replace(code, device="phone"))
    redeem(grants, replace(code, grant_id=f"{code.grant_id}-b", device="desktop"))
    redeem(grants, replace(code, grant_id=f"{code.grant_id}-c"))
    grants.revoke_grant(f"{code.grant_id}-c")
    found = {live.id: live for live in grants.of_member(member)}
    assert {id: live.device for id, live in found.items()} == {
        code.grant_id: "phone",
        f"{code.grant_id}-b": "desktop",
    }
    live = found[code.grant_id]
    assert live.client_id == "portal"
    assert abs(live.since - time.time()) < 60
    assert live.used == live.since
    assert grants.of_member(member + "-other") == []


def test_a_session_ends_from_another_one(redis, member, code):
    """Its tokens are dead, the others live, and its browser is told apart."""
    grants = make(redis)
    _, kept = redeem(grants, code)
    _, gone = redeem(grants, replace(code, grant_id=f"{code.grant_id}-b"))
    (ended,) = grants.revoke_apart(member, f"{code.grant_id}-b")
    assert (ended.client_id, ended.subject) == ("portal", "canary-subject")
    assert grants.check(gone.access_token) is None
    assert grants.of_refresh_token(gone.refresh_token) is None
    assert grants.check(kept.access_token)
    assert [live.id for live in grants.of_member(member)] == [code.grant_id]
    assert grants.any_ended([code.grant_id, f"{code.grant_id}-b"])
    assert not grants.any_ended([code.grant_id])
    assert not grants.any_ended([])


def test_nobody_ends_another_members_session(redis, member, code):
    """An id that leaked ends nothing for anybody else."""
    grants = make(redis)
    _, issued = redeem(grants, code)
    assert grants.revoke_apart(member + "-other", code.grant_id) == []
    assert grants.check(issued.access_token)
    assert not grants.any_ended([code.grant_id])


def test_what_ended_everywhere_is_told(redis, member, code):
    """Each grant once, with whom it was for."""
    grants = make(redis)
    redeem(grants, code)
    told = grants.revoke_member(member)
    assert [(each.id, each.client_id, each.subject) for each in told] == [
        (code.grant_id, "portal", "canary-subject")
    ]
    assert grants.revoke_member(member) == []
