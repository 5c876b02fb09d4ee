"""Key files: one directory per role, one file per key. Not for: using keys (`seal.py`).

A file holds lines `kid base64url`, the current key first. The two roles' directories hold
different files (`FILES`); a process refuses a directory that holds a key of the other role.
"""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from joserfc.jwk import ECKey

from bridge.seal import Key, SealBroken, b64, unb64

Role = Literal["web", "worker"]

FILES: dict[str, tuple[Role, ...]] = {
    "recipients": ("web",),  # the worker's public keys
    "private": ("worker",),  # the worker's private keys
    "envelope": ("web", "worker"),  # HMAC of envelopes and of `fit`
    "index": ("web", "worker"),  # names of mailboxes, limits, de-duplication
    "keyring": ("web",),  # sealed records in Redis, tickets, cursors, ETags
    "credential": ("web",),  # password hashes, sealed with the member's id
    "identity": ("web", "worker"),  # ids and MACs of sign-in identities; for life
    "subject": ("web",),  # pairwise subjects; for life
    "operation": ("web",),  # operation ids from idempotency keys
    "record": ("web",),  # ids of new records
    "link": ("web",),  # signed scenes and links
    "refresh": ("web",),  # MACs of refresh tokens
    "remote-web": ("web",),  # the reading CRM user's and WeChat's tokens
    "remote-worker": ("worker",),  # the writing CRM user's token
    "id-token.json": ("web",),  # ES256, a JWK with its private part
}


class KeyTrouble(Exception):
    """A key directory that can't be used. `problems`: one sentence each; no key material."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Keys:
    """One role's keys: name -> list of (kid, key), the current one first."""

    def __init__(self, directory: Path, role: Role) -> None:
        """Reads and checks the whole directory. Raises KeyTrouble with all mistakes at once."""
        problems = list(_problems(directory, role))
        if problems:
            raise KeyTrouble(problems)
        self._directory = directory
        self.role = role

    def __getitem__(self, name: str) -> list[Key]:
        """Raises KeyError for a name that isn't this role's."""
        if self.role not in FILES[name]:
            raise KeyError(name)
        return read(self._directory / name)

    def one(self, name: str) -> bytes:
        """The current key."""
        return self[name][0][1]

    def id_token_key(self) -> ECKey:
        """The ES256 key that signs id_tokens."""
        return ECKey.import_key(json.loads((self._directory / "id-token.json").read_text()))


def read(path: Path) -> list[Key]:
    """The keys in a file. Raises SealBroken or ValueError for a malformed line."""
    lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    keys = [(kid, unb64(encoded)) for kid, encoded in lines]
    if not keys or any(len(key) != 32 for _, key in keys):
        raise SealBroken
    return keys


def _problems(directory: Path, role: Role) -> Iterator[str]:
    if not directory.is_dir():
        yield "keys.directory: no such directory; make it with `python -m bridge keys make`"
        return
    for name, roles in FILES.items():
        present = (directory / name).is_file()
        if role not in roles and present:
            yield f"keys.directory: holds {name}, a key of the other role; remove it from this host"
        elif role in roles and not present:
            yield f"keys.directory: {name} is missing"
        elif present and not name.endswith(".json"):
            yield from _malformed(directory, name)


def _malformed(directory: Path, name: str) -> Iterator[str]:
    try:
        read(directory / name)
    except (SealBroken, ValueError):
        yield f"keys.directory: {name} doesn't hold lines of `kid base64url-of-32-bytes`"


def make(directory: Path) -> None:
    """Write a new pair of directories, `web/` and `worker/`. Raises FileExistsError."""
    for role in ("web", "worker"):
        (directory / role).mkdir(parents=True, mode=0o700)
    private = X25519PrivateKey.generate()
    raw = serialization.Encoding.Raw, serialization.PrivateFormat.Raw
    made = {
        "private": private.private_bytes(*raw, serialization.NoEncryption()),
        "recipients": private.public_key().public_bytes_raw(),
    }
    kid = "k" + secrets.token_hex(3)
    for name, roles in FILES.items():
        key = made.get(name) or secrets.token_bytes(32)
        text = _id_token_jwk(kid) if name.endswith(".json") else f"{kid} {b64(key)}\n"
        for role in roles:
            _write(directory / role / name, text)


def _id_token_jwk(kid: str) -> str:
    key = ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"}, private=True)
    return json.dumps(key.as_dict(private=True))


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o400)
    path.chmod(0o600)
    path.write_text(text)
    path.chmod(0o400)
