"""Authorization codes, grants and tokens in Redis: issue, redeem once, rotate, check, revoke.

Not for: OAuth's messages (`bridge/oauth`) or who a member is (`bridge/services`). Keys are SHA-256
of the secret values; records are sealed by the keyring to their key, so a dump shows no member and
a writer of Redis can neither make nor move a session.

A refresh token is `v1.<gid>.<generation>.<mac>`: a forged one costs no call, every old generation
of a grant is recognised as long as the grant lives, and a retry gets the same successor (OAuth 2.1
draft, "Refresh Token Grant", implementation note; RFC 9700 section 4.14).
"""

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from bridge import log, security
from bridge.seal import Keyring, Mac, Pseudonyms, SealBroken, b64, unb64
from bridge.store import grant_scripts as scripts
from bridge.store.authorizations import (
    Authorization,
    Caller,
    Code,
    Ended,
    Grant,
    Issued,
    Live,
    from_json,
    pack,
    to_json,
    unpack,
)
from bridge.store.caller_cache import CallerCache
from bridge.store.connection import Redis

__all__ = ["Authorization", "Caller", "Code", "Grant", "Grants", "Issued", "Lives", "digest"]

STAMP_SECONDS = 120  # longer than any sign-in takes from its read of the CRM to its end
APART_SECONDS = 7200  # the longest that a browser's session may be left alone
USED_SECONDS = 3600  # a tombstone outlives every access token that its grant can give


@dataclass(frozen=True)
class Lives:
    """Seconds. `index`: at least the longest grant's life."""

    code: int = 60
    access_token: int = 600
    idle: int = 30 * 86_400
    absolute: int = 90 * 86_400
    index: int = 90 * 86_400


def digest(secret: str) -> str:
    """How a secret of 256 random bits is named in a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Grants:
    """All of it over one Redis. Every method may raise StoreDown."""

    def __init__(
        self,
        redis: Redis,
        keyring: Keyring,
        names: Pseudonyms,
        refresh: Mac,
        lives: Lives | None = None,
        clock: Callable[[], float] = time.time,
        cache: CallerCache[Caller] | None = None,
    ) -> None:
        """`refresh` signs refresh tokens. `cache` saves the call of `check`; without it each check
        is one round trip."""
        self._redis, self._keyring, self._names, self._refresh = redis, keyring, names, refresh
        self._lives = lives or Lives()
        self._clock = clock
        self._cache = cache
        self._look = redis.script(scripts.LOOK)
        self._redeem = redis.script(scripts.REDEEM)
        self._rotate = redis.script(scripts.ROTATE)
        self._check = redis.script(scripts.CHECK)
        self._end_grant = redis.script(scripts.END_GRANT)
        self._end_member = redis.script(scripts.END_MEMBER)
        self._list, self._end_apart = redis.script(scripts.LIST), redis.script(scripts.END_APART)
        self._checked = redis.script(scripts.CHECKED)

    # -- sign-in ---------------------------------------------------------------------------------

    def epoch(self, member_id: str) -> int:
        """The member's count of sign-outs everywhere: taken at sign-in, compared ever after."""
        return int(self._redis.do("GET", f"ep:{self._uid(member_id)}") or 0)

    def standing(self, member_id: str) -> tuple[int, str | None]:
        """(the member's epoch, the digest of the stamp that they were given within the last two
        minutes, or None). A sign-in that read another stamp from the CRM came too late."""
        uid = self._uid(member_id)
        epoch, stamp = self._redis.do("MGET", f"ep:{uid}", f"st:{uid}")
        return int(epoch or 0), stamp

    def new_code(self, code: Code) -> str:
        """Keep `code` for a minute; gives the secret that stands for it."""
        secret = secrets.token_urlsafe(32)
        key = f"code:{digest(secret)}"
        plain = {
            "authorization": to_json(code.authorization),
            "redirect_uri": code.redirect_uri,
            "challenge": code.challenge,
            "nonce": code.nonce,
            "device": code.device,
            "grant_id": code.grant_id,
        }
        self._redis.do("SET", key, self._seal("code", key, plain), "EX", self._lives.code)
        return secret

    def look(self, secret: str, client_id: str) -> Code | None:
        """What the code stands for, without using it; None for an unknown one or another
        client's. A used one ends the grant that it gave, if it is the same client's."""
        name = digest(secret)
        answer = self._look([f"code:{name}", f"used:{name}"], [client_id])
        if answer[0] == "replay":
            security.tell("code-replayed", client=client_id)
        if answer[0] != "ok":
            return None
        try:
            plain = self._open("code", f"code:{name}", answer[1])
        except SealBroken:
            return None
        authorization = from_json(plain.pop("authorization"))
        if authorization.client_id != client_id:
            return None
        return Code(authorization, **plain)

    def redeem(self, secret: str, code: Code, *, refreshable: bool) -> Issued | None:
        """Use the code: consumed, tombstoned and turned into a grant in one step.

        `code` is what `look` gave and the caller has checked (redirect URI, PKCE). None when
        somebody was faster, which ends the grant, or the member signed out everywhere meanwhile.
        """
        authorization = code.authorization
        name, gid, uid = digest(secret), code.grant_id, self._uid_of(authorization)
        now = int(self._clock())
        life = self._lives.absolute if refreshable else self._lives.access_token
        access, record, seconds = self._new_access(gid, now + life)
        sealed = self._keyring.seal("grant", f"gr:{gid}", pack(authorization))
        answer = self._redeem(
            [
                f"code:{name}",
                f"used:{name}",
                f"gr:{gid}",
                f"at:{digest(access)}",
                f"sub:{uid}",
                f"ep:{uid}",
                f"used:{gid}",
            ],
            [
                gid,
                authorization.client_id,
                USED_SECONDS,
                authorization.epoch,
                now + life,
                uid,
                sealed,
                self._lives.idle,
                record,
                seconds,
                self._lives.index,
                code.device,
            ],
        )
        if answer != "ok":
            log.event("code-refused", logging.WARNING, client=authorization.client_id, code=answer)
            return None
        refresh = self._refresh_token(gid, 0) if refreshable else None
        return Issued(access, refresh, seconds, authorization.scope, gid)

    # -- refresh ---------------------------------------------------------------------------------

    def of_refresh_token(self, token: str) -> Grant | None:
        """The live grant that a refresh token names, whatever its generation; None for a forged
        one (which costs no call) or a dead grant."""
        named = self._named(token)
        if named is None:
            return None
        gid, generation = named
        rec, ends, checked = self._redis.do("HMGET", f"gr:{gid}", "rec", "abs", "chk")
        if rec is None:
            return None
        try:
            authorization = unpack(self._keyring.open("grant", f"gr:{gid}", rec))
        except SealBroken:
            return None
        return Grant(gid, generation, authorization, int(ends), int(checked))

    def rotate(
        self, grant: Grant, client_id: str, leeway: int = 0, scope: frozenset[str] | None = None
    ) -> Issued | None:
        """The next refresh token and an access token with `scope` (at most the grant's; default
        all of it). None where the token was used before: then the grant is dead."""
        kept = grant.authorization
        asked = kept.scope if scope is None else scope & kept.scope
        narrowed = "" if asked == kept.scope else " ".join(sorted(asked))
        access, record, seconds = self._new_access(grant.id, grant.ends_at, narrowed)
        uid = self._uid_of(kept)
        answer = self._rotate(
            [f"gr:{grant.id}", f"at:{digest(access)}", f"ep:{uid}"],
            [grant.generation, client_id, leeway, record, seconds, self._lives.idle, kept.epoch],
        )
        if answer[0] in ("reuse", "forward", "client"):
            log.event("refresh-" + answer[0], logging.WARNING, client=client_id)
        if answer[0] == "reuse":
            security.tell("refresh-reused", member=kept.member_id, client=client_id)
        if answer[0] not in ("ok", "forward"):
            return None
        return Issued(access, self._refresh_token(grant.id, answer[1]), seconds, asked, grant.id)

    def note_checked(self, grant_id: str) -> None:
        """The CRM has just confirmed this grant's member (stamp and state)."""
        self._checked([f"gr:{grant_id}"], [])

    # -- access ----------------------------------------------------------------------------------

    def issue_client_token(
        self, client_id: str, scope: frozenset[str], audience: tuple[str, ...]
    ) -> Issued:
        """An access token of the client's own (RFC 6749 section 4.4); no grant, no refresh."""
        ends = int(self._clock()) + self._lives.access_token
        own = b64(pack(Authorization(client_id, scope, audience)))
        access, record, seconds = self._new_access("", ends, own)
        self._redis.do("SET", f"at:{digest(access)}", record, "EX", seconds)
        return Issued(access, None, seconds, scope, "")

    def check(self, access_token: str) -> Caller | None:
        """Who calls; None for a token that isn't good (unknown, expired, revoked, moved).

        One round trip at most: none where the cache knows it.
        """
        name = digest(access_token)
        if self._cache is not None:
            known = self._cache.get(name, self._clock())
            if known is not None:
                return known
        mark = self._cache.mark() if self._cache is not None else 0
        found = self._check([f"at:{name}"], [])
        caller, uid = self._caller(name, *found) if found else (None, "")
        if caller is None or caller.expires_at <= self._clock():
            return None
        if self._cache is not None:
            keys = (f"at:{name}", f"gr:{caller.grant_id}", f"ep:{uid}")
            self._cache.put(name, caller, caller.expires_at, keys, mark)
        return caller

    # -- the end ---------------------------------------------------------------------------------

    def revoke(self, token: str, client_id: str) -> None:
        """RFC 7009: a refresh token ends its grant, an access token only itself; another client's
        or an unknown one changes nothing, and the answer is the same."""
        named = self._named(token)
        if named is not None:
            self._end(named[0], client_id)
            return
        name = digest(token)
        found = self._check([f"at:{name}"], [])
        caller = self._caller(name, *found)[0] if found else None
        if caller is not None and caller.client_id == client_id:
            self._redis.do("DEL", f"at:{name}")

    def revoke_grant(self, grant_id: str) -> list[Ended]:
        """Sign out here: the grant and all its tokens are dead, and its code if it still waits.
        Gives the grant, where there was one."""
        return self._end(grant_id, "")

    def revoke_apart(self, member_id: str, grant_id: str) -> list[Ended]:
        """Sign out one session from another: as `revoke_grant`, if it is this member's; and the
        browser that it was given to is signed out too (`any_ended`)."""
        uid = self._uid(member_id)
        keys = [f"gr:{grant_id}", f"sub:{uid}", f"used:{grant_id}"]
        answer = self._end_apart(keys, [uid, grant_id, APART_SECONDS])
        return self._ended([grant_id, *answer]) if answer else []

    def any_ended(self, grant_ids: Iterable[str]) -> bool:
        """Was one of these ended from elsewhere?"""
        keys = [f"used:{grant_id}" for grant_id in grant_ids]
        return bool(keys and self._redis.do("EXISTS", *keys))

    def of_member(self, member_id: str) -> list[Live]:
        """The member's grants that live, the newest first."""
        uid = self._uid(member_id)
        flat = self._list([f"sub:{uid}", f"ep:{uid}"], [])
        rows = zip(*[iter(flat)] * 5, strict=True)
        found = [Live(id, client, int(at), int(rot), dev) for id, client, at, rot, dev in rows]
        return sorted(found, key=lambda each: -each.since)

    def revoke_member(self, member_id: str, stamp: str = "") -> list[Ended]:
        """Sign out everywhere: every grant of the member, and every sign-in under way. `stamp`:
        digest of the one that the CRM is being given, where it changes. Gives the grants that
        there were."""
        uid = self._uid(member_id)
        keys = [f"ep:{uid}", f"sub:{uid}", f"st:{uid}"]
        return self._ended(self._end_member(keys, [self._lives.index, stamp, STAMP_SECONDS]))

    # -- inside ----------------------------------------------------------------------------------

    def _end(self, grant_id: str, client_id: str) -> list[Ended]:
        keys = [f"gr:{grant_id}", f"used:{grant_id}"]
        answer = self._end_grant(keys, [grant_id, client_id, self._lives.code])
        return self._ended([grant_id, *answer]) if answer else []

    def _ended(self, flat: list[str]) -> list[Ended]:
        return [
            Ended(id, client, self._subject_in(id, record))
            for id, client, record in zip(*[iter(flat)] * 3, strict=True)
        ]

    def _subject_in(self, grant_id: str, record: str) -> str | None:
        try:
            return unpack(self._keyring.open("grant", f"gr:{grant_id}", record)).subject
        except SealBroken:
            return None

    def _uid(self, member_id: str) -> str:
        return self._names.of("grants.member", member_id)

    def _uid_of(self, authorization: Authorization) -> str:
        return self._uid(authorization.member_id) if authorization.member_id else ""

    def _refresh_token(self, gid: str, generation: int) -> str:
        body = f"v1.{gid}.{generation}"
        return f"{body}.{self._refresh.sign(body.encode())}"

    def _named(self, token: str) -> tuple[str, int] | None:
        """(gid, generation) of a refresh token that we gave out."""
        body, _, mac = token.rpartition(".")
        parts = body.split(".")
        if len(parts) != 3 or parts[0] != "v1" or not token.isascii():
            return None
        if not self._refresh.check(body.encode(), mac):
            return None
        return parts[1], int(parts[2])

    def _new_access(self, gid: str, ends_at: int, rest: str = "") -> tuple[str, str, int]:
        """(token, its record `gid|sealed`, seconds it lives). A grant's token rests as its times
        only, since the grant has the rest. `rest`: narrower scope; a client's own authorization."""
        now = int(self._clock())
        seconds = max(1, min(self._lives.access_token, ends_at - now))
        token = secrets.token_urlsafe(32)
        plain = f"{now} {now + seconds} {rest}".encode()
        sealed = self._keyring.seal("access", f"at:{digest(token)}|{gid}", plain)
        return token, f"{gid}|{sealed}", seconds

    def _caller(
        self, name: str, record: str, grant: str = "", uid: str = "", epoch: str = "0"
    ) -> tuple[Caller | None, str]:
        """Who the records say. Labels that stand in clear are believed only where the sealed grant
        says the same."""
        gid, sealed = record.split("|", 1)
        try:
            text = self._keyring.open("access", f"at:{name}|{gid}", sealed).decode()
            issued_at, expires_at, rest = text.split(" ", 2)
            packed = self._keyring.open("grant", f"gr:{gid}", grant) if gid else unb64(rest)
        except SealBroken:
            return None, ""
        kept = unpack(packed)
        if (self._uid_of(kept), str(kept.epoch)) != (uid, epoch):
            return None, ""
        known = {name: value for name, value in vars(kept).items() if name != "epoch"}
        if gid and rest:
            known["scope"] = frozenset(rest.split())
        known |= {"issued_at": int(issued_at), "expires_at": int(expires_at)}
        return Caller(**known, grant_id=gid), uid

    def _seal(self, purpose: str, place: str, plain: dict[str, Any]) -> str:
        return self._keyring.seal(purpose, place, json.dumps(plain).encode())

    def _open(self, purpose: str, place: str, sealed: str) -> dict[str, Any]:
        opened: dict[str, Any] = json.loads(self._keyring.open(purpose, place, sealed))
        return opened
