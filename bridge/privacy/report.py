"""The text of `docs/privacy.md`: where each personal field goes, what rests in Redis, what the scan
looks for and can't see. Not for: finding routes (`cli/ways.py`) or scanning (`scan.py`).

The same mapping, prefixes and scan result give the same text.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from bridge.privacy.forms import DEPTH
from bridge.store import PREFIXES, Prefix
from mappings.loader import Mapping as CrmMapping

Field = tuple[str, str]


class Way(Protocol):
    """How a field comes in and goes out."""

    @property
    def comes(self) -> Sequence[str]: ...
    @property
    def goes(self) -> Sequence[str]: ...


_ADDRESSES = frozenset([("member", "mobile"), ("member", "email"), ("identity", "value")])
_ENVELOPES = ("mb:", "dl:")
_PROVING = ("otp:", "sess:")
_HEAD = """# Where personal data go

Written by `python -m bridge privacy-report` from the code: the vocabulary, the mapping, the routes
and the list of Redis keys. A test fails when it is out of date. What a thief of each part gets is
in [threat-model.md](threat-model.md).

The CRM is the only home of member data. The bridge has no database. On its way a value is in clear
in two places and nowhere else: in the memory of a web process while it serves the request, and in
the memory of a worker process while it applies the write. What waits between them is sealed.
"""
_CAN_NOT = (
    "Memory: values of requests that are being served, and what an allocator hasn't overwritten.",
    "Swap and core dumps: switch both off on web and worker hosts.",
    "The CRM's own logs and audit; no personal value stands in a URL that we call, which the scan "
    "does check in the sandbox.",
    "What SMS and mail gateways and WeChat keep.",
    "A log of a proxy in front: it must leave query strings out, where WeChat puts the openid.",
    "Keyed hashes: who holds the key can test a guess (see Pseudonyms).",
    "Values of under six ASCII characters, which can't be told from chance.",
)


def render(mapping: CrmMapping, ways: Mapping[Field, Way], scan: Mapping[str, Any] | None) -> str:
    """The whole document. `scan`: the result that was recorded last, or None."""
    parts = (
        [_HEAD],
        _fields(mapping, ways),
        _rests(ways),
        _pseudonyms(),
        _prefixes(PREFIXES),
        _looks(),
        _result(scan, ways),
    )
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def _fields(mapping: CrmMapping, ways: Mapping[Field, Way]) -> Iterator[str]:
    yield f"## Fields\n\nWith the mapping for `{mapping.crm}`.\n"
    head = ("field", "CRM column", "comes in by", "goes out by", "may rest, sealed, in")
    rows = []
    for (kind, name), way in ways.items():
        binding = mapping.kinds[kind]
        column = f"{binding.table}.{binding.fields[name].column}"
        places = ", ".join(f"`{p.name}`" for p in places_of((kind, name)))
        shown = (f"`{kind}.{name}`", f"`{column}`", _list(way.comes), _list(way.goes), places)
        rows.append(shown)
    yield from _table(head, rows)
    yield (
        "\nA password is hashed (argon2id) and the hash sealed with the member's id on the web "
        "tier; the column holds that. Hosts: web (memory, while the request is served), worker "
        "(memory, while the write is applied), the CRM.\n"
    )


def places_of(field: Field) -> tuple[Prefix, ...]:
    """The lines of the closed list under which a field's value may rest, sealed."""
    names = _ENVELOPES + (_PROVING if field in _ADDRESSES else ())
    return tuple(prefix for prefix in PREFIXES if prefix.name in names)


def _list(items: Sequence[str]) -> str:
    return "<br>".join(items) if items else "nowhere"


def _rests(ways: Mapping[Field, Way]) -> Iterator[str]:
    yield "## What rests sealed, under which key, how long\n"
    used = {prefix.name: prefix for field in ways for prefix in places_of(field)}
    rows = [(f"`{p.name}`", p.what, f"{p.opens}", _life(p)) for p in PREFIXES if p.name in used]
    yield from _table(("key", "what", "opens with", "at most"), rows)
    yield (
        "\n- Envelopes are sealed to the worker's public key (HPKE, RFC 9180), padded to a size "
        "class, and carry an HMAC; neither the web tier nor Redis can open one. A one-time code "
        "or mail that waits is an envelope too, and is dropped past its time.\n"
        "- Sealed by the web tier's keyring (AES-256-GCM, bound to purpose and Redis key): a "
        "challenge's address, the pages' session (proofs, an openid, the masked mobile).\n"
        "- A proof ticket that an API client holds for ten minutes is sealed by the same keyring: "
        "to the client it is opaque.\n"
    )


def _pseudonyms() -> Iterator[str]:
    yield "## Pseudonyms\n"
    rows = (
        ("id of an identity's row", "kind and normalised address", "identity key", "the CRM"),
        ("name of a mailbox, of a limit, of a challenge's address, of a seen event",
         "member's CRM id; address, network range; openid", "index key", "Redis"),
        ("`sub` of a token", "`member.subject`, by sector (AES-SIV)", "subject key",
         "OAuth clients"),
        ("operation id", "client, principal, route, Idempotency-Key", "operation key",
         "Redis, the CRM's `last_operations`, log"),
        ("ETag", "the CRM's version (AES-SIV)", "keyring", "clients"),
    )  # fmt: skip
    yield from _table(("what", "made from", "with", "where it stands"), rows)
    yield "\nAll are keyed (HMAC-SHA256 or AES-SIV); none can be made or tested without its key.\n"


def _prefixes(prefixes: Iterable[Prefix]) -> Iterator[str]:
    yield "## Everything that lives in Redis\n\nA closed list: a test fails for any other key.\n"
    rows = [(f"`{p.name}`", p.role, p.type, _life(p), p.what, p.opens) for p in prefixes]
    head = ("prefix", "role", "type", "lives at most", "what", "who can open it")
    yield from _table(head, rows)
    yield ""


def _life(prefix: Prefix) -> str:
    if prefix.ttl is None:
        return f"no end: {prefix.why}"
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if prefix.ttl % size == 0:
            count = prefix.ttl // size
            return f"{count} {name}{'s' if count > 1 else ''}"
    return f"{prefix.ttl} s"


def _looks() -> Iterator[str]:
    yield "## What the scan looks for\n"
    yield (
        "A made-up member has values that stand nowhere else. After each flow test, and by "
        "`privacy-report --scan`, each value is looked for:\n\n"
        "- as it is, in lower and upper case, as digits only, in UTF-16; its unkeyed digests (MD5, "
        "SHA-1, SHA-256, in hex and base64);\n"
        "- inside base64 and base64url at any offset, hex, percent-encoding (twice), JSON and "
        "Python escapes, HTML entities, zlib, deflate and gzip, nested up to "
        f"{DEPTH} times;\n"
        "- in both Redis roles (every key's name and content of every type, RQ's too, SLOWLOG, "
        "client names), their files on disk, every log, command lines and environments of the "
        "processes, and the URLs that the CRM was called with. The queue's file keeps every "
        "envelope that waited, so that those are looked at too.\n"
    )
    yield "It can't see:\n"
    yield from (f"- {sentence}" for sentence in _CAN_NOT)
    yield ""


def _result(scan: Mapping[str, Any] | None, fields: Iterable[Field]) -> Iterator[str]:
    yield "## The last scan\n"
    if scan is None:
        yield "None is recorded: run `python -m bridge privacy-report --scan`."
        return
    counts = scan["counts"]
    versions = ", ".join(f"{name} {version}" for name, version in scan["versions"].items())
    yield (
        f"{scan['date']}, over the demo's walk ({versions}): {counts['canaries']} values in "
        f"{counts['pieces']} pieces ({counts['bytes']} bytes) of {counts['places']} places; "
        f"**{counts['findings']} found**.\n"
    )
    yield from (f"- `{each['field']}` in {each['place']}" for each in scan["findings"])
    yield f"Planted: {', '.join(scan['planted'])}. {_unplanted(scan['planted'], fields)}\n"
    yield "Looked at:\n"
    yield from (f"- {place}" for place in scan["places"])


_PLANTED_AS = {"credential": "password", "value": "openid"}


def has_canary(name: str, planted: Iterable[str]) -> bool:
    """Did the recorded walk plant a value of its own for this field?"""
    return _PLANTED_AS.get(name, name) in set(planted)


def _unplanted(planted: Iterable[str], fields: Iterable[Field]) -> str:
    known = set(planted)
    bare = [f"`{kind}.{name}`" for kind, name in fields if not has_canary(name, known)]
    if not bare:
        return "Every personal field has one."
    return (
        f"Without a value of its own in this walk: {', '.join(bare)} (a choice of few words can't "
        "have one)."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    yield from (f"| {' | '.join(row)} |" for row in rows)
