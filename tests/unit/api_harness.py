"""The API in this process: the real application, schemas and services over the memory adapter, with
Redis played by dicts. Not for: what Redis or the worker do (they have tests of their own)."""

import secrets
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from flask import Flask
from joserfc.jwk import ECKey

from adapters.base import FreeBudget, Remote
from adapters.errors import CrmError
from adapters.memory import Memory
from bridge import api, edge
from bridge.errors import Problem
from bridge.seal import Keyring, Mac, Pseudonyms, Sealer, Siv
from bridge.services import proofs
from bridge.services.clients import Clients
from bridge.services.identities import IdentityKeys
from bridge.services.passwords import Passwords
from bridge.services.proofs import Purpose
from bridge.services.scenes import Scenes
from bridge.services.subjects import stamp_digest
from bridge.store.authorizations import Ended, Live
from bridge.store.challenges import About, Started
from bridge.store.grants import Caller
from bridge.store.limits import WINDOWS
from bridge.writes import envelope
from bridge.writes.mailbox import Accepted
from bridge.writes.write import Outcome, Write, operations_of, operations_text, short
from mappings.loader import load

KEY = [("k1", b"k" * 32)]
ID_TOKEN_KEY = ECKey.generate_key("P-256", {"kid": "e1", "use": "sig", "alg": "ES256"})
ISSUER = "https://members.example.com"
MAPPING = load("mappings/memory.yaml")
EVERY = frozenset(
    [
        "member:read",
        "member:write",
        "member:erase",
        "member:export",
        "consents:read",
        "consents:write",
        "account:read",
        "account:write",
        "registrations:write",
        "resets:write",
        "identities:vouch",
    ]
)
CONSENTS = [
    {"purpose": "membership", "version": "2", "required": True, "text": {"en": "Run it."}},
    {"purpose": "marketing", "version": "1", "required": False, "text": {"en": "Tell me."}},
]


class Grants:
    """Tokens and who they are."""

    def __init__(self) -> None:
        self.callers: dict[str, Caller] = {}
        self.ended: list[str] = []
        self.checked: list[str] = []
        self.stamps: dict[str, str] = {}

    def check(self, token: str) -> Caller | None:
        return self.callers.get(token)

    def of_member(self, member_id: str) -> list[Live]:
        callers = [c for c in self.callers.values() if c.member_id == member_id]
        return [Live(c.grant_id, c.client_id, 10, 20, "phone") for c in callers]

    def revoke_apart(self, member_id: str, grant_id: str) -> list[Ended]:
        own = [c for c in self.callers.values() if c.member_id == member_id]
        return self.revoke_grant(grant_id) if grant_id in {c.grant_id for c in own} else []

    def revoke_grant(self, grant_id: str) -> list[Ended]:
        self.ended.append(grant_id)
        gone = [c for c in self.callers.values() if c.grant_id == grant_id]
        self.callers = {t: c for t, c in self.callers.items() if c.grant_id != grant_id}
        return [Ended(c.grant_id, c.client_id, c.subject) for c in gone]

    def revoke_member(self, member_id: str, stamp: str = "") -> list[Ended]:
        self.stamps[member_id] = stamp
        gone = [c.grant_id for c in self.callers.values() if c.member_id == member_id]
        return [ended for grant_id in gone for ended in self.revoke_grant(grant_id)]

    def note_checked(self, grant_id: str) -> None:
        self.checked.append(grant_id)


class Mailboxes:
    """Seals as the real one does, then applies at once, or keeps what waits (`held`)."""

    def __init__(self, crm: Memory) -> None:
        self.crm = crm
        self.writes: list[Write] = []
        self.held = False
        self.known: dict[str, tuple[str, str]] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.refuse_with: Problem | None = None
        self._sealer = Sealer([("w1", X25519PrivateKey.generate().public_key().public_bytes_raw())])

    def accepting(self) -> bool:
        return True

    def member_mailbox(self, member_id: str) -> str:
        return "w" + member_id

    def notice_mailbox(self, address: str) -> str:
        return "n" + secrets.token_hex(4)

    def accept(self, write: Write, *, mailbox: str, owner: str, fingerprint: str) -> Accepted:
        if self.refuse_with:
            raise self.refuse_with
        if write.op in self.known:
            if self.known[write.op][1] != fingerprint:
                raise Problem("key-reuse")
            return Accepted(write.op, False)
        envelope.seal(write, mailbox, owner, self._sealer, Mac(KEY), MAPPING)
        self.known[write.op] = (owner, fingerprint)
        self.writes.append(write)
        if not self.held and write.verb != "notice":
            self.release(write)
        return Accepted(write.op, True)

    def release(self, write: Write) -> None:
        outcome = self._apply(write)
        self.outcomes[write.op] = replace(outcome, owner=self.known[write.op][0], at=1.0)

    def _apply(self, write: Write) -> Outcome:
        given = []
        for operation in write.operations:
            record, version = operation.record, operation.version
            if operation.verb == "update":
                now = self.crm.get(operation.kind, operation.id, ["last_operations"])
                version = getattr(write.based_on, "version", None) or now.version
                before = operations_of(now.record["last_operations"])
                record = record | {"last_operations": operations_text([*before, short(write.op)])}
            elif operation.kind != "consent" and operation.verb == "create":
                record = record | {"last_operations": short(write.op)}
            given.append(replace(operation, record=record, version=version))
        try:
            self.crm.apply(given)
        except CrmError as error:
            code = "stale" if error.code == "stale-version" else "refused"
            return Outcome(write.op, code, {"stale-version": "stale"}.get(error.code, error.code))
        if given[0].verb == "erase" or given[0].kind != "member":
            return Outcome(write.op, "applied")
        found = self.crm.get("member", given[0].id, ["last_operations"])
        return Outcome(
            write.op, "applied", "", found.version, operations_of(found.record["last_operations"])
        )

    def wait(self, op: str, seconds: float) -> Outcome | None:
        return self.outcomes.get(op)

    def knows(self, op: str) -> bool:
        return op in self.known

    def outcome(self, op: str, owner: str) -> Outcome | None:
        assert len(op) == 22, "the real one reads `op:<id>`, where other things live too"
        if op not in self.known or self.known[op][0] != owner:
            raise Problem("not-found")
        return self.outcomes.get(op)


class Challenges:
    """Codes in clear."""

    def __init__(self) -> None:
        self.open: dict[str, tuple[str, About]] = {}
        self.tickets: dict[str, str] = {}
        self.bound: dict[str, str] = {}

    def start(self, code: str, about: About) -> Started:
        id = secrets.token_urlsafe(16)
        self.open[id] = (code, about)
        return Started("new", id)

    def attempt(self, challenge: str, code: str, binding: str) -> About | str | None:
        known = self.open.get(challenge)
        if not known or known[0] != code or known[1].binding != binding:
            return None
        return self.tickets.get(challenge) or known[1]

    def keep_ticket(self, challenge: str, ticket: str) -> str | None:
        return self.tickets.setdefault(challenge, ticket)

    def cancel(self, challenge: str, about: About) -> None:
        self.open.pop(challenge)

    def bind(self, ticket_id: str, op: str, seconds: int = 660) -> bool:
        return self.bound.setdefault(ticket_id, op) == op


class Links:
    """Tokens in clear."""

    def __init__(self) -> None:
        self.open: dict[str, About] = {}

    def new(self, about: About) -> str:
        token = secrets.token_urlsafe(32)
        self.open[token] = about
        return token

    def look(self, token: str) -> About | None:
        return self.open.get(token)

    def cancel(self, token: str) -> None:
        self.open.pop(token)


@dataclass
class Limits:
    """Refuses one purpose, if told to."""

    refused: str = ""
    most: dict[str, int] = field(default_factory=dict)
    seen: list[tuple[str, ...]] = field(default_factory=list)

    def hit(self, purpose: str, *parts: str) -> None:
        if purpose == self.refused or self.is_spent(purpose, *parts):
            raise Problem("too-many", retry_after=7, extensions={"limit": purpose})
        self.seen.append((purpose, *parts))

    def is_spent(self, purpose: str, *parts: str) -> bool:
        return self.seen.count((purpose, *parts)) >= self.most.get(purpose, 10**6)


class Api:
    """One application, and what is behind it."""

    def __init__(self, **http: Any) -> None:
        self.now = 1_800_000_000.0
        self.crm = Memory(MAPPING, Remote({}, {}, None, FreeBudget(), "read"))  # type: ignore[arg-type]
        self.grants, self.limits, self.challenges = Grants(), Limits(), Challenges()
        self.links = Links()
        self.mailboxes = Mailboxes(self.crm)
        self.names = Pseudonyms(b"n" * 32)
        settings = SimpleNamespace(
            issuer=ISSUER,
            region="CN",
            consents=CONSENTS,
            profile=SimpleNamespace(required=["given_name"], wanted=["email"], minimum_age=14),
            limits=SimpleNamespace(**dict.fromkeys(WINDOWS, 5)),
            oauth=SimpleNamespace(step_up_seconds=600, step_up_acr="aal1"),
            claims=SimpleNamespace(enabled=False),
            brand=SimpleNamespace(name={"en": "Brand"}, stores={}),
            http=SimpleNamespace(**{"serve_docs": True, "max_body": 65536} | http),
        )
        self.parts = SimpleNamespace(
            settings=settings,
            mapping=MAPPING,
            crm=self.crm,
            capabilities=Memory.capabilities,
            keyring=Keyring(KEY),
            passwords=Passwords(Keyring(KEY)),
            names=self.names,
            identity_keys=IdentityKeys(b"i" * 32),
            etags=Siv(b"e" * 32),
            operation_key=Pseudonyms(b"o" * 32),
            record_key=Pseudonyms(b"r" * 32),
            scenes=Scenes(KEY, lambda: self.now),
            mailboxes=self.mailboxes,
            grants=self.grants,
            limits=self.limits,
            challenges=self.challenges,
            links=self.links,
            id_token_key=ID_TOKEN_KEY,
            clients=Clients({}),
            tokens=SimpleNamespace(do=lambda *_: "PONG"),
            queue=SimpleNamespace(do=lambda *_: "PONG"),
            budget=SimpleNamespace(is_open=lambda: False),
            clock=lambda: self.now,
        )
        self.app = Flask("test", static_folder=None)
        edge.install(self.app, settings.http.max_body, {"site": ["https://www.example.com"]})
        api.install(self.app, self.parts)  # type: ignore[arg-type]
        self.client = self.app.test_client()

    def member(self, **record: Any) -> str:
        """A member in the CRM; gives the id."""
        id = record.pop("id", "10000000-0000-4000-8000-000000000001")
        base = {"given_name": "Wei", "state": "active", "stamp": "s1", "last_operations": "op0"}
        self.crm.create("member", id, base | {"subject": f"s-{id}"} | record)
        return id

    def token(self, member_id: str | None, scope: frozenset[str] = EVERY, **more: Any) -> str:
        """A good access token."""
        token = secrets.token_urlsafe(8)
        stamp = stamp_digest(self.names, "s1") if member_id else ""
        values = {
            "client_id": "site",
            "grant_id": f"g-{token}" if member_id else "",
            "member_id": member_id,
            "scope": scope,
            "audience": (ISSUER,),
            "auth_time": int(self.now),
            "amr": (),
            "acr": "aal1",
            "stamp": stamp,
            "subject": None,
            "issued_at": 0,
            "expires_at": 2**40,
        }
        self.grants.callers[token] = Caller(**values | more)
        return token

    def call(self, method: str, path: str, token: str | None = None, **kwargs: Any) -> Any:
        """One request; `headers` are added to the token's."""
        headers = dict(kwargs.pop("headers", {}))
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return self.client.open(path, method=method, headers=headers, **kwargs)

    def digest(self, stamp: str) -> str:
        """As a session keeps it."""
        return stamp_digest(self.names, stamp)

    def identity(self, member_id: str, kind: str, value: str, **record: Any) -> str:
        """A sign-in identity of the member's, bound by us; gives the id."""
        keys = self.parts.identity_keys
        id = keys.id(kind, value)
        bound = {"member": member_id, "member_text": member_id, "mac": keys.mac(id, member_id)}
        self.crm.create("identity", id, {"kind": kind, "value": value} | bound | record)
        return str(id)

    def proof(
        self,
        value: str,
        kind: str = "mobile",
        client: str = "site",
        purpose: Purpose = "registration",
    ) -> str:
        """A ticket of an address that was proven."""
        binding = proofs.client_binding(client)
        return proofs.issue(self.parts, kind, value, purpose, binding)  # type: ignore[arg-type]
