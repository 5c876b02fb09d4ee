"""`/account/profile`: the member changes what describes them.

Not for: addresses, which need a proof (`addresses.py`). The form carries the version that was
shown, so that an edit made elsewhere meanwhile isn't undone by it.
"""

from typing import Any

import flask
from flask import Blueprint
from flask.typing import ResponseReturnValue

from adapters.base import Found
from adapters.errors import CrmError
from bridge.errors import Problem, from_crm
from bridge.pages import codes, forms
from bridge.pages.account import holder, writing
from bridge.pages.frame import href, show, words
from bridge.pages.texts import LANGUAGES, TEXTS
from bridge.pages.trouble import in_place
from bridge.parts import current
from bridge.services import members, profiles, versions
from bridge.writes.write import Base

_TEMPLATE = "account_profile.html"


def add_to(pages: Blueprint) -> None:
    """The routes."""
    holder.add(pages, "/account/profile", "account_profile", profile)


def profile() -> ResponseReturnValue:
    """The form, and its sending."""
    if writing.waits():
        return flask.redirect(href("account_pending"), 303)
    fields = forms.edited(current().mapping)
    found = holder.record(fields)
    if flask.request.method != "POST":
        return show(_TEMPLATE, notice=codes.notice(), **_view(found, fields))
    t, form = words(), flask.request.form
    read, errors = forms.edit(form, current().mapping, t)
    view = _view(found, fields) | {"values": form.to_dict()}
    if errors:
        return show(_TEMPLATE, 422, errors=errors, **view)
    changes = {name: read[name] for name in fields if read[name] != found.record.get(name)}
    if not changes:
        return flask.redirect(href("account"), 303)
    try:
        return _hand_in(changes)
    except Problem as problem:
        if problem.type == "validation":
            return show(_TEMPLATE, 422, errors=forms.errors_of(problem, t), **view)
        return in_place(problem, _TEMPLATE, **view)
    except CrmError as error:
        return in_place(from_crm(error), _TEMPLATE, **view)


def _hand_in(changes: dict[str, Any]) -> ResponseReturnValue:
    parts, who = current(), holder.holder()
    profiles.check_edit(parts.settings.profile, changes, parts.clock())
    edit = members.edit(who.member_id, changes)
    op = writing.operation("profile")
    accepted = writing.accept("update", edit, op, changes, _based_on())
    return writing.wait(accepted, "account", "account.saved")


def _based_on() -> Base | None:
    """The version that the form was made from; None where the CRM told none."""
    parts, tag = current(), flask.request.form.get("version", "")
    if not tag:
        return None
    base = versions.opened(parts.etags, holder.holder().member_id, tag)
    if base is None:
        raise Problem("forbidden")
    return base


def _view(found: Found, fields: tuple[str, ...]) -> dict[str, Any]:
    base = members.base_of(found)
    tag = versions.etag(current().etags, found.id, base).strip('"') if base.version else ""
    return {
        "asked": fields,
        "required": current().settings.profile.required,
        "version": tag,
        "values": forms.typed(found.record),
        "spoken": [(code, TEXTS[code]("language.name")) for code in LANGUAGES],
    }
