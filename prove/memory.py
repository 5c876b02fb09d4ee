"""What a live session costs in Redis: an OAuth grant, a browser at the pages, a site on the BFF.

Not for: what waits for minutes (codes, sign-ins under way). Values are as long as real ones: every
scope, two audiences, ids of the CRM's form, ten grants noted in one browser. Bytes are the server's
own count (MEMORY USAGE, all of a key's fields).
"""

import secrets
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path

import redis

from bridge.cli.embedded import Server
from bridge.seal import Keyring, Mac, Pseudonyms, Siv
from bridge.services.clients import CLIENT_ONLY, SCOPES
from bridge.store.bff_sessions import BffSession, BffSessions
from bridge.store.connection import Redis
from bridge.store.grants import Authorization, Code, Grants
from bridge.store.sessions import Sessions, SignedIn
from prove.result import Result

MOST = 1024
SESSIONS = 200
KEY = [("k-2026-11", b"k" * 32)]
_COUNTER = "user counter on nopass ~* &* +@all"
_EVERY = frozenset(SCOPES) - CLIENT_ONLY
_OAUTH = ("gr", "at", "sub", "ep", "used")


def run(long: bool) -> Result:
    """The same for both lengths: nothing here is left to chance."""
    each = measure(SESSIONS if long else 20)
    shown = ", ".join(f"{name} {size:.0f} bytes" for name, size in each.items())
    promise = f"A live session takes at most {MOST} bytes of Redis"
    return Result(promise, shown, all(size <= MOST for size in each.values()), 0)


def measure(sessions: int) -> dict[str, float]:
    """Bytes for each kind of session, on average."""
    with tempfile.TemporaryDirectory(prefix="bridge-prove-") as directory:
        server = Server("tokens", Path(directory) / "tokens", [_COUNTER])
        try:
            store = Redis(server.url("web"))
            for _ in range(sessions):
                _one_of_each(store)
            by_prefix = _counted(f"redis://counter@127.0.0.1:{server.port}/0")
        finally:
            server.stop()
    each = {prefix: size / sessions for prefix, size in by_prefix.items()}
    return {
        "OAuth session": sum(each.pop(prefix, 0.0) for prefix in _OAUTH),
        "browser session": each.pop("sess"),
        "BFF session": each.pop("bffs"),
        **each,
    }


def _one_of_each(store: Redis) -> None:
    keyring, names = Keyring(KEY), Pseudonyms(b"n" * 32)
    grants = Grants(store, keyring, names, Mac(KEY))
    member, now = str(uuid.uuid4()), int(time.time())
    subject = str(uuid.uuid4())
    pairwise = Siv(b"s" * 32).seal("sites", subject.encode())
    here = ("https://members.example.com", "https://cms.example.com")
    stamp = names.of("stamp", member)
    who = Authorization(
        "member-site", _EVERY, here, member, pairwise, now, ("otp", "sms"), "aal1", stamp
    )
    code = Code(who, "https://www.example.com/callback", "c" * 43)
    issued = grants.redeem(grants.new_code(code), code, refreshable=True)
    assert issued is not None
    claims = {"sub": pairwise, "auth_time": now, "acr": "aal1", "amr": ["pwd"], "sid": "s" * 22}
    held = BffSession(who.client_id, issued.access_token, issued.refresh_token or "", now, claims)
    BffSessions(store, keyring).start(held)
    _browser(store, keyring, SignedIn(member, subject, now, ("pwd",), "aal1", stamp))


def _browser(store: Redis, keyring: Keyring, who: SignedIn) -> None:
    sessions = Sessions(store, keyring)
    session = sessions.new()
    sessions.start(session)
    sessions.sign_in(session, who)
    for _ in range(10):
        sessions.note_grant(session, secrets.token_urlsafe(16))


def _counted(url: str) -> Counter[str]:
    client, found = redis.Redis.from_url(url, decode_responses=True), Counter[str]()
    for key in client.scan_iter(count=1000):
        found[key.split(":")[0]] += int(client.memory_usage(key, samples=0) or 0)
    client.close()
    return found
