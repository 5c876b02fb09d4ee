"""`/account/password`: another password, for who is signed in and has just shown it.

Not for: a forgotten one (`bridge/pages/resetting.py`). Every session ends with the change.
"""

import flask
from flask import Blueprint
from flask.typing import ResponseReturnValue

from adapters.errors import CrmError
from bridge.errors import Problem, from_crm
from bridge.pages.account import holder, writing
from bridge.pages.frame import show, words
from bridge.pages.trouble import in_place
from bridge.parts import current
from bridge.services import credentials
from bridge.services.passwords import weakness

_TEMPLATE = "account_password.html"


def add_to(pages: Blueprint) -> None:
    """The routes."""
    holder.add(pages, "/account/password", "account_password", change, fresh=True)


def change() -> ResponseReturnValue:
    """The form, and its sending."""
    account = holder.account()
    if flask.request.method != "POST":
        return show(_TEMPLATE)
    t, password = words(), flask.request.form.get("password", "")
    weak = weakness(password)
    if weak:
        sentence = t("error.password_" + weak.removeprefix("too-"))
        return show(_TEMPLATE, 422, errors={"password": sentence})
    try:
        op = writing.operation("password")
        done = credentials.set_password(current(), account, password, op, holder.visit())
    except Problem as problem:
        return in_place(problem, _TEMPLATE)
    except CrmError as error:
        return in_place(from_crm(error), _TEMPLATE)
    return writing.closing(done, "reset")
