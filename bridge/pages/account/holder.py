"""Who is signed in at the pages, as long as the CRM's record carries that sign-in.

Not for: what is done with the account. A record that is gone, closed or signed out everywhere ends
the session of the pages too, and the person signs in again.
"""

from collections.abc import Iterable
from functools import wraps

import flask
from flask import Blueprint
from flask.typing import ResponseReturnValue

from adapters.base import Found
from bridge.edge.request import trace
from bridge.errors import Problem
from bridge.pages.frame import href, visitor
from bridge.pages.signing_in import BOTH, THEN, leave
from bridge.pages.visit import View, page
from bridge.parts import current
from bridge.services import accounts, members, operations, step_up
from bridge.services.accounts import Account
from bridge.services.credentials import Visit
from bridge.services.members import Holder, SessionOver
from bridge.store.sessions import SignedIn

CLIENT = "pages"
"""Whom limits, events and operations know the pages as."""


def add(pages: Blueprint, path: str, name: str, view: View, *, fresh: bool = False) -> None:
    """A page of whoever is signed in. `fresh`: only soon after a sign-in."""
    pages.add_url_rule(path, name, page(_mine(view, name, fresh)), methods=BOTH)


def holder() -> SignedIn:
    """Who is signed in. Raises SessionOver where nobody is, or no longer."""
    who, parts = visitor().signed_in, current()
    if who is None or parts.grants.epoch(who.member_id) != who.epoch:
        raise SessionOver("stamp")
    return who


def record(fields: Iterable[str]) -> Found:
    """Their own record, as the CRM has it now. Raises SessionOver, CrmError."""
    who, parts = holder(), current()
    whose = Holder(who.member_id, who.stamp)
    return members.read(parts.crm, whose, fields, parts.names, trace())


def account() -> Account:
    """Their own, with what signs them in. Raises as `record`."""
    return accounts.of(record(accounts.FIELDS), current().identity_keys)


def visit() -> Visit:
    """This visit, as the services want to know it."""
    return Visit(CLIENT, owner(), trace())


def owner() -> str:
    """Who may ask what became of the account's writes: the member."""
    return operations.owner(current().names, member_id=holder().member_id, client=CLIENT)


def ask_again(then: str) -> ResponseReturnValue:
    """To the page that asks for password or code; from there to the page `then`."""
    visitor().data[THEN] = then
    return flask.redirect(href("account_confirm"), 303)


def _mine(view: View, name: str, fresh: bool) -> View:
    @wraps(view)
    def run() -> ResponseReturnValue:
        try:
            who = holder()
            if fresh and not _enough(who):
                return ask_again(name)
            return view()
        except SessionOver:
            return _over(name)
        except Problem as problem:
            if problem.type == "gone":
                return _over(name)
            if problem.type == "key-reuse":
                return _first_counts()
            raise

    return run


def _first_counts() -> ResponseReturnValue:
    """Two forms were sent at once, not the same: the one that was accepted is waited for."""
    now = current().sessions.load(visitor().id)
    visitor().data |= now.data if now else {}
    return flask.redirect(href("account_pending"), 303)


def _enough(who: SignedIn) -> bool:
    parts = current()
    return step_up.enough(who, parts.clock(), parts.settings.oauth)


def _over(name: str) -> ResponseReturnValue:
    if visitor().signed_in is not None:
        leave()
        visitor().data["notice"] = "account.over"
    visitor().data[THEN] = name
    return flask.redirect(href("sign_in"), 303)
