"""`/account`: what the CRM holds of the member, what is missing, and the way to everything else.

Not for: changing any of it.
"""

from collections.abc import Iterable
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from bridge.pages import codes
from bridge.pages.account import holder, writing
from bridge.pages.frame import show, words
from bridge.pages.texts import TEXTS, Texts
from bridge.parts import current
from bridge.services import profiles

SHOWN = (
    "family_name",
    "given_name",
    "mobile",
    "email",
    "birth_date",
    "gender",
    "language",
    "tier",
    "points",
    "member_since",
)
_MASKED = ("mobile", "email")


def add_to(pages: Blueprint) -> None:
    """The routes."""
    holder.add(pages, "/account", "account", overview)
    holder.add(pages, "/account/pending", "account_pending", writing.pending)
    holder.add(pages, "/account/progress", "account_progress", writing.progress)


def overview() -> ResponseReturnValue:
    """The member's own record, in short."""
    parts, t = current(), words()
    rules = parts.settings.profile
    held = parts.mapping.kinds["member"].fields
    shown = [name for name in SHOWN if name in held]
    wanted = [name for name in (*rules.required, *rules.wanted) if name not in shown]
    found = holder.record((*shown, *wanted))
    complete = profiles.completeness(rules, found.record)
    return show(
        "account.html",
        notice=codes.notice(),
        waits=writing.waits(),
        facts=list(_facts(shown, found.record, t)),
        percent=complete.percent,
        missing=[_label(name, t) for name in complete.missing],
    )


def _facts(shown: Iterable[str], record: dict[str, Any], t: Texts) -> Iterable[tuple[str, str]]:
    """(label, value) of what is there."""
    for name in shown:
        value = record.get(name)
        if value is not None and value != "":
            yield t(f"field.{name}"), _said(name, value, t)


def _said(name: str, value: Any, t: Texts) -> str:
    if name in _MASKED:
        return codes.masked(value)
    if name == "language":
        return TEXTS[value]("language.name") if value in TEXTS else str(value)
    if name == "member_since":
        return f"{value:%Y-%m-%d}"
    key = f"field.{value}"
    return t(key) if name in ("gender", "tier") and key in t else str(value)


def _label(name: str, t: Texts) -> str:
    """A brand's own field is called what the mapping calls it."""
    key = f"field.{name}"
    return t(key) if key in t else current().mapping.kinds["member"].fields[name].label or name
