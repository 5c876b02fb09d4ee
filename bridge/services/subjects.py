"""What a client sees instead of a member's id, and what a session keeps of the security stamp.

Not for: the CRM's ids, which never leave. A subject is pairwise per client group (OpenID Connect
Core section 8.1) and reversible by us alone, so that a till or a server can come back with it
though no index of members exists.
"""

from bridge.seal import Pseudonyms, SealBroken, Siv


def pairwise(subjects: Siv, sector: str, subject: str) -> str:
    """The `sub` of a member for all clients of `sector`; the same each time."""
    return subjects.seal(sector, subject.encode())


def subject_of(subjects: Siv, sector: str, sub: str) -> str | None:
    """The canonical `member.subject` of a `sub` that we gave to this sector, else None."""
    try:
        return subjects.open(sector, sub).decode()
    except SealBroken:
        return None


def stamp_digest(names: Pseudonyms, stamp: str | None) -> str:
    """What grants and sessions keep of a member's security stamp, to see that it changed."""
    return names.of("member.stamp", stamp or "")
