"""What a person typed, as canonical values or as sentences that say what isn't right.

Not for: rules of registration (`bridge/services/registration.py`), which check again.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from marshmallow import ValidationError

from bridge.errors import Problem
from bridge.pages.texts import Texts
from bridge.services.consents import Answer
from bridge.services.identities import NotNormal, normalise
from bridge.services.passwords import weakness
from mappings.loader import Mapping as CrmMapping

ASKED = ("given_name", "family_name", "email", "birth_date", "gender")
EDITED = ("given_name", "family_name", "birth_date", "gender", "language")
"""What a member changes without a proof."""
OPTIONAL = frozenset(["gender"])
DATE_PARTS = ("birth_year", "birth_month", "birth_day")
Errors = dict[str, str]
"""Field of the form -> a sentence for the person; `form` for what belongs to no field."""


@dataclass(frozen=True)
class Details:
    """The third step, read. It is good if `errors` is empty."""

    profile: Mapping[str, Any] = field(repr=False)
    consents: tuple[Answer, ...]
    password: str = field(repr=False)
    errors: Errors


def asked(mapping: CrmMapping) -> tuple[str, ...]:
    """What the form asks for: what this CRM can hold of it."""
    return tuple(name for name in ASKED if name in mapping.kinds["member"].fields)


def edited(mapping: CrmMapping) -> tuple[str, ...]:
    """What a member may change: what this CRM can hold of it."""
    return tuple(name for name in EDITED if name in mapping.kinds["member"].fields)


def plain(text: str) -> str:
    """Without spaces around it; full-width digits and letters as plain ones."""
    return unicodedata.normalize("NFKC", text).strip()


def details(
    form: Mapping[str, str], mapping: CrmMapping, purposes: Sequence[Mapping[str, Any]], t: Texts
) -> Details:
    """Read the third step. Sentences stand in the order of the page."""
    profile, errors = _profile(_raw(form, asked(mapping)), mapping, t)
    password = form.get("password", "")
    weak = weakness(password)
    if weak:
        errors["password"] = t("error.password_" + weak.removeprefix("too-"))
    answers = tuple(_answers(form, purposes))
    granted = {answer.purpose for answer in answers if answer.granted}
    for purpose in purposes:
        if purpose["required"] and purpose["purpose"] not in granted:
            errors["consent_" + purpose["purpose"]] = t("error.consent")
    return Details(profile, answers, password, errors)


def edit(form: Mapping[str, str], mapping: CrmMapping, t: Texts) -> tuple[dict[str, Any], Errors]:
    """The profile as it is to be, None for what was left empty, and what isn't right with it."""
    names = edited(mapping)
    raw = _raw(form, names)
    filled = {name: value for name, value in raw.items() if value}
    profile, wrong = _loaded(filled, names, mapping)
    errors = {name: _sentence(t, name, wrong[name]) for name in names if name in wrong}
    return dict.fromkeys(names) | profile, errors


def typed(record: Mapping[str, Any]) -> dict[str, str]:
    """A record as the fields of a form."""
    values = {name: str(record.get(name) or "") for name in EDITED if name != "birth_date"}
    born = record.get("birth_date")
    parts = (f"{born.year}", f"{born.month}", f"{born.day}") if born else ("", "", "")
    return values | dict(zip(DATE_PARTS, parts, strict=True))


def errors_of(problem: Problem, t: Texts) -> Errors:
    """The sentences of a `validation` problem that the services raised."""
    found: Errors = {}
    for each in problem.errors:
        name = each.pointer.strip("/").split("/")[0]
        if name in ASKED:
            code = {"required": "blank"}.get(each.code, each.code)
            found[name] = _sentence(t, name, code)
        else:
            found["form"] = t("error.form_stale")
    return found


def _raw(form: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    raw = {name: plain(form.get(name, "")) for name in names}
    if "birth_date" in raw:
        raw["birth_date"] = _date(form)
    return raw


def _date(form: Mapping[str, str]) -> str:
    year, month, day = (plain(form.get(name, "")) for name in DATE_PARTS)
    return f"{year}-{month:0>2}-{day:0>2}" if year or month or day else ""


def _profile(
    raw: Mapping[str, str], mapping: CrmMapping, t: Texts
) -> tuple[dict[str, Any], Errors]:
    filled = {name: value for name, value in raw.items() if value}
    wrong = {name: "blank" for name in raw if name not in filled and name not in OPTIONAL}
    profile, malformed = _loaded(filled, tuple(raw), mapping)
    wrong |= malformed
    if "email" in profile:
        try:
            profile["email"] = normalise("email", profile["email"], "")
        except NotNormal:
            wrong["email"] = "invalid"
    return profile, {name: _sentence(t, name, wrong[name]) for name in raw if name in wrong}


def _loaded(
    filled: Mapping[str, str], names: tuple[str, ...], mapping: CrmMapping
) -> tuple[dict[str, Any], Errors]:
    """(canonical values, {field: code} of those that aren't)."""
    schema = mapping.schema("member")(only=names)
    try:
        return dict(schema.load(filled)), {}
    except ValidationError as error:
        profile = dict(error.valid_data) if isinstance(error.valid_data, dict) else {}
        messages = error.messages if isinstance(error.messages, dict) else {}
        return profile, {name: _code(messages[name]) for name in names if name in messages}


def _code(messages: Iterable[Any]) -> str:
    return "too_long" if any(str(each).startswith("Longer") for each in messages) else "invalid"


def _sentence(t: Texts, name: str, code: str) -> str:
    if code == "too-young":
        return t("error.too_young")
    own = {"birth_date": "error.date", "email": "error.email"}.get(name)
    if own and code != "blank":
        return t(own)
    key = f"error.{code}" if code in ("blank", "too_long") else "error.invalid"
    return t(key, label=t(f"field.{name}"))


def _answers(form: Mapping[str, str], purposes: Sequence[Mapping[str, Any]]) -> Iterable[Answer]:
    """The version is what stood on the page; the services refuse one that has passed."""
    for purpose in purposes:
        version = form.get("consent_" + purpose["purpose"])
        yield Answer(purpose["purpose"], version is not None, version or purpose["version"])
