"""E-mail addresses, a table of their own: the array `email` and the old `email1`.

Not for: filters on them (`filters.py`).
"""

import uuid
from typing import Any

from sandbox.sugarcrm.errors import SugarError
from sandbox.sugarcrm.settings import Settings
from sandbox.sugarcrm.values import collated, kept

_FLAGS = ("primary_address", "opt_out", "invalid_email", "reply_to_address")


def primary(held: list[dict[str, Any]]) -> str:
    """The address that mails go to; what `email1` shows."""
    return next((str(each["email_address"]) for each in held if each["primary_address"]), "")


def written(held: list[dict[str, Any]], sent: Any, settings: Settings) -> list[dict[str, Any]]:
    """What is held after an array was sent. Raises SugarError."""
    if not isinstance(sent, list) or not all(isinstance(each, dict) for each in sent):
        raise SugarError("invalid_parameter")
    known = {collated(each["email_address"]): each for each in held}
    result = dict(known) if settings.email_array == "merge" else {}
    for given in sent:
        address = given.get("email_address")
        if not isinstance(address, str) or "@" not in address:
            raise SugarError("invalid_parameter")
        before = known.get(collated(address)) or _fresh(address, settings)
        flags = {name: kept("bool", given[name]) for name in _FLAGS if name in given}
        result[collated(address)] = {**before, **flags}
    return _one_primary(list(result.values()), sent)


def written_first(
    held: list[dict[str, Any]], sent: Any, settings: Settings
) -> list[dict[str, Any]]:
    """What is held after `email1` was sent: another primary address, the others stay."""
    others = [each for each in held if not each["primary_address"]]
    if not sent:
        return _one_primary(others, [])
    first = _fresh(str(sent), settings) | {"primary_address": True}
    if "@" not in str(sent):
        raise SugarError("invalid_parameter")
    same = collated(str(sent))
    return [first, *(each for each in others if collated(each["email_address"]) != same)]


def shown(held: list[dict[str, Any]], settings: Settings) -> list[dict[str, Any]]:
    """The array as an answer has it."""

    def flag(value: bool) -> Any:
        return value if settings.email_flags == "json" else str(int(value))

    return [
        {name: flag(value) if isinstance(value, bool) else value for name, value in each.items()}
        for each in held
    ]


def _fresh(address: str, settings: Settings) -> dict[str, Any]:
    return {
        "email_address": address,
        "email_address_id": str(uuid.uuid4()),
        "primary_address": False,
        "opt_out": settings.opt_out_new_addresses,
        "invalid_email": False,
        "reply_to_address": False,
    }


def _one_primary(result: list[dict[str, Any]], sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The one that was sent as primary last, else the one there was, else the first."""
    named = [
        collated(each["email_address"])
        for each in sent
        if kept("bool", each.get("primary_address", False))
    ]
    marked = [n for n, each in enumerate(result) if each["primary_address"]]
    chosen = marked[0] if marked else 0
    for number, each in enumerate(result):
        if named and collated(each["email_address"]) == named[-1]:
            chosen = number
    return [{**each, "primary_address": n == chosen} for n, each in enumerate(result)]
