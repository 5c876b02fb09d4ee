"""A page's request as part of a browser's visit: the session, its cookie, the token of its forms.

Not for: what a session is (`bridge/store/sessions.py`).
"""

from collections.abc import Callable
from functools import wraps

import flask
from flask import Response
from flask.typing import ResponseReturnValue

from bridge.errors import Problem
from bridge.parts import current
from bridge.store.sessions import Session

View = Callable[[], ResponseReturnValue]


def page(view: View) -> View:
    """A view with a session. A form without this session's token is refused ("forbidden"). What
    the view changes in the session is kept before the answer leaves."""

    @wraps(view)
    def run() -> Response:
        session, known = _arrive()
        if flask.request.method == "POST" and not session.csrf_holds(
            flask.request.form.get("csrf")
        ):
            raise Problem("forbidden")
        before = session.id
        response = flask.make_response(view())
        _keep(response, session, known and session.id == before)
        return response

    return run


def _arrive() -> tuple[Session, bool]:
    sessions = current().sessions
    session = sessions.load(flask.request.cookies.get(sessions.cookie_name))
    known = session is not None
    flask.g.visitor = session = session or sessions.new()
    args = flask.request.args
    if args.get("continue") in session.parked:
        session.data["continue"] = args["continue"]
    if "lang" in args:
        session.data["lang"] = args["lang"][:35]
    return session, known


def _keep(response: Response, session: Session, known: bool) -> None:
    sessions = current().sessions
    if known:
        sessions.save(session)
        return
    sessions.start(session)
    response.set_cookie(**sessions.cookie(session))
