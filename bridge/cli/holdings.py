"""What the CRM and Redis hold right now, as tables for people. Not for: judging it (the scanner).

A Redis key is shown by its prefix, type, time to live, bytes, and who can open it; never by its
content.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import redis

from bridge.cli.embedded import ROLES
from bridge.cli.line import ROOT, Line
from bridge.cli.tables import Row
from bridge.store.prefixes import RQ_FOREVER, prefix_of
from mappings.loader import load as load_mapping

REDIS_HEAD: Row = ("role", "prefix", "keys", "type", "TTL", "bytes", "what", "who can open it")


def redis_rows(line: Line) -> list[Row]:
    """One row for each prefix that has keys now, over both roles."""
    assert line.redis is not None  # noqa: S101 - a running line has it
    rows: list[Row] = []
    for role in ROLES:
        client = redis.Redis.from_url(line.redis.url(role, "doctor"))
        try:
            rows += sorted(_role(role, client))
        finally:
            client.close()
    return rows


def _role(role: str, client: redis.Redis) -> Iterator[Row]:
    held: dict[str, list[tuple[str, int, int]]] = {}
    for key in _keys(client):
        known = prefix_of(key.decode())
        name = known.name if known else "?"
        fact = (_text(client.type(key)), client.ttl(key), client.memory_usage(key) or 0)
        held.setdefault(name, []).append(fact)
    for name, facts in held.items():
        known = prefix_of(name)
        kinds, lives = {fact[0] for fact in facts}, [fact[1] for fact in facts]
        yield (
            role,
            name,
            str(len(facts)),
            "/".join(sorted(kinds)),
            _life(lives),
            str(sum(fact[2] for fact in facts)),
            known.what if known else "NOT ON THE LIST",
            known.opens if known else "?",
        )


def _keys(client: redis.Redis) -> Iterator[bytes]:
    return cast(Iterator[bytes], client.scan_iter(count=500))


def _text(raw: Any) -> str:
    return raw.decode() if isinstance(raw, bytes) else str(raw)


def _life(lives: list[int]) -> str:
    if max(lives) < 0:
        return "none"
    return f"{max(lives)} s" + (" or none" if min(lives) < 0 else "")


def strays(client: redis.Redis) -> list[str]:
    """Keys that break the closed list: no line names them, or they have no end although theirs
    gives one. Named by prefix, or by the few characters that say which list they are missing on."""
    found = set()
    for key in _keys(client):
        name = key.decode("utf-8", "replace")
        known = prefix_of(name)
        if known is None:
            found.add(f"{name[:8]}…: not on the list")
        elif known.ttl is not None and not name.startswith(RQ_FOREVER) and client.ttl(key) == -1:
            found.add(f"{known.name}: no time to live")
    return sorted(found)


Tables = Mapping[str, Sequence[Mapping[str, Any]]]


def crm_lines(line: Line, tables: Tables, before: Tables | None = None) -> Iterator[str]:
    """The rows that a member's journey made, in the columns that the mapping names, without the
    empty ones and those that only lead on; with `before`, only what has changed since."""
    mapping = load_mapping(ROOT / "mappings" / f"{line.adapter}.yaml")
    for binding in mapping.kinds.values():
        table, key = binding.entity_set, binding.id_column
        known = {row[key]: row for row in (before or {}).get(table, [])}
        fields = [f for n, f in binding.fields.items() if n not in binding.lookups]
        for row in tables.get(table, []):
            shown = [(f.column, row.get(f.column)) for f in fields]
            old = known.get(row[key])
            told = [
                (n, v) for n, v in shown if v not in (None, "") and (not old or old.get(n) != v)
            ]
            if told:
                yield f"{table}  {row[key][:8]}…" + ("  changed" if old else "")
                yield from (f"    {n.ljust(22)} {_short(v)}" for n, v in told)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 48 else f"{text[:16]}… ({len(text)} characters)"
