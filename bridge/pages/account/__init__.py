"""The pages of a member's own account: see it, change it, take a copy, leave.

Not for: deciding anything about members (`bridge/services`), or the API of the same (`bridge/api`).
Whose account it is comes from the sealed session alone. What opens an account, or closes it, is
asked for again where the sign-in is old (`confirming.py`).
"""

from flask import Blueprint

from bridge.pages.account import (
    addresses,
    confirming,
    consents,
    leaving,
    overview,
    password,
    profile,
    sessions,
)

_PARTS = (overview, profile, consents, password, addresses, sessions, leaving, confirming)


def add_to(pages: Blueprint) -> None:
    """The routes of all of them."""
    for part in _PARTS:
        part.add_to(pages)
