"""The closed list of what lives in Redis: key prefixes, their time to live, and who can open them.

Not for: what is done with them. Each prefix says its role, type, and longest time to live, or the
reason it has none; a test fails when a key appears that isn't listed.
"""

from dataclasses import dataclass
from typing import Literal

Role = Literal["tokens", "queue"]
DAY = 86_400


@dataclass(frozen=True)
class Prefix:
    """One line of the list. `ttl`: the longest, in seconds; None only with a reason in `why`.
    `opens`: who can read what is in it, in plain words."""

    name: str
    role: Role
    type: str
    ttl: int | None
    what: str
    opens: str
    why: str = ""


PREFIXES: tuple[Prefix, ...] = (
    # tokens: what the web tier needs to know who is calling
    Prefix("at:", "tokens", "string", 600, "access token's record, by hash", "web keyring"),
    Prefix("gr:", "tokens", "hash", 90 * DAY, "grant: generation, sealed member", "web keyring"),
    Prefix("code:", "tokens", "string", 60, "authorization code's record, by hash", "web keyring"),
    Prefix("used:", "tokens", "string", 7200, "a used code's grant; an ended one", "a grant's id"),
    Prefix("sub:", "tokens", "zset", 90 * DAY, "a member's grants", "names grants only"),
    Prefix("ep:", "tokens", "string", 90 * DAY, "a member's epoch of sign-outs", "a number"),
    Prefix("st:", "tokens", "string", 120, "digest of a stamp that was just changed", "keyed hash"),
    Prefix("sess:", "tokens", "hash", 1800, "browser session of the pages", "web keyring"),
    Prefix("bffs:", "tokens", "string", 30 * DAY, "a site's session: its tokens", "web keyring"),
    Prefix("bffl:", "tokens", "string", 600, "a site's sign-in under way", "web keyring"),
    Prefix("as:", "tokens", "hash", 600, "an app's sign-in under way", "web keyring"),
    Prefix("jti:", "tokens", "string", 3720, "a client's assertion that was used", "a one"),
    Prefix("dev:", "tokens", "hash", 600, "a device that waits to be approved", "web keyring"),
    Prefix("uc:", "tokens", "string", 120, "its short code, by keyed hash", "names a device only"),
    Prefix("otp:", "tokens", "hash", 600, "code challenge: keyed hash, tries", "web keyring"),
    Prefix("ticket:", "tokens", "string", 1860, "operation that a proof is bound to", "op id"),
    Prefix("pr:", "tokens", "string", 1800, "address that a link went to, by hash", "web keyring"),
    Prefix("rl:", "tokens", "string", 2 * DAY, "rate limit counters, by keyed hash", "a number"),
    Prefix("crm:", "tokens", "string", 3600, "the CRM's token, sealed", "the role that got it"),
    Prefix("wx:", "tokens", "string", 7200, "WeChat's tokens, sealed", "web keyring"),
    Prefix("lock:", "tokens", "string", 30, "who is fetching a token", "a random number"),
    Prefix("wxev:", "tokens", "string", 3600, "WeChat event seen, and what was decided", "code"),
    Prefix("br:", "tokens", "string", 600, "breaker and pause of the CRM", "a number"),
    # queue: sealed writes and their outcomes
    Prefix(
        "mb:",
        "queue",
        "list",
        None,
        "mailbox: sealed envelopes",
        "worker's private key",
        "an acknowledged write stays until it has an outcome; alarm by age",
    ),
    Prefix("idem:", "queue", "string", DAY, "accepted operation: fingerprint, owner", "keyed hash"),
    Prefix("op:", "queue", "string", 30 * DAY, "outcome by reference and code; `op:fit`", "codes"),
    Prefix(
        "dirty",
        "queue",
        "set",
        None,
        "mailboxes with something new",
        "keyed hashes",
        "one set; emptied by claim",
    ),
    Prefix(
        "due:",
        "queue",
        "zset",
        None,
        "when a mailbox is due, per lane",
        "keyed hashes",
        "the schedule; a line leaves it when its mailbox is empty",
    ),
    Prefix("turn:", "queue", "string", DAY, "a mailbox's current turn", "a number"),
    Prefix(
        "turns",
        "queue",
        "string",
        None,
        "global counter of turns",
        "a number",
        "must never go back",
    ),
    Prefix("sent:", "queue", "string", DAY, "the head that may have been sent", "op id"),
    Prefix("pause:", "queue", "string", 600, "until when a lane's claim rests", "a number"),
    Prefix(
        "dl:",
        "queue",
        "list",
        None,
        "dead letters, sealed",
        "worker's private key",
        "an operator decides; alarm by age",
    ),
    Prefix(
        "rq:",
        "queue",
        "any",
        3600,
        "RQ's own: wake-ups with a mailbox and a turn",
        "nothing",
        "RQ keeps a few sets without a TTL, named in RQ_FOREVER",
    ),
)

RQ_FOREVER = (
    "rq:queues",
    "rq:queue:",
    "rq:workers",
    "rq:clean_registries:",
    "rq:finished:",
    "rq:failed:",
    "rq:wip:",
)
"""RQ's keys that have no TTL; they hold queue and worker names, and random job ids that its own
maintenance takes out."""


def prefix_of(key: str) -> Prefix | None:
    """The line of the list that a key belongs to, or None."""
    return next((p for p in PREFIXES if key.startswith(p.name)), None)
