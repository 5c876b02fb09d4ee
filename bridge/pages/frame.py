"""What every page has around it: language, brand, links that keep the visit together, headers.

Not for: what a page says. Nothing is loaded from another host and nothing runs inline, so the
policy (Content Security Policy Level 3) names `'self'` alone; `form-action` also names the origins
that a waiting client registered, since browsers hold a redirect after a form to it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

import flask
from flask import Response

from bridge.pages.brand import Look
from bridge.pages.texts import LANGUAGES, Texts, choose
from bridge.parts import current
from bridge.store.sessions import Session

LOOK = "bridge.pages.look"
"""The application's extension that holds the brand's Look."""
_STATIC = Path(__file__).with_name("static")
_POLICY = "; ".join(
    [
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action {forms}",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def show(template: str, status: int = 200, **view: Any) -> Response:
    """A page. `errors`: {field: sentence}; `form`: what the person typed on this very page."""
    t = words()
    view = {"errors": {}, "notice": None, "values": {}, "store": store_name(), **view}
    html = flask.render_template(
        f"pages/{template}",
        t=t,
        brand=_in(t.language, current().settings.brand.name),
        languages=[
            (code, look().texts[code]("language.name"), _switch(code)) for code in _others(t)
        ],
        asset=_asset,
        own=_own,
        band=look().band,
        href=href,
        csrf=visitor().csrf if visitor_known() else "",
        **view,
    )
    response = Response(html, status, mimetype="text/html")
    response.headers["Content-Language"] = t.language
    response.headers["Content-Security-Policy"] = _POLICY.format(forms=" ".join(_forms()))
    return response


def finish(response: Response) -> Response:
    """Headers of everything here. Static files may be kept: for a year where the URL has a hash."""
    if flask.request.endpoint in ("pages.static", "pages.branded"):
        hashed = "public, max-age=31536000, immutable"
        kept = hashed if "v" in flask.request.args else "public, max-age=3600"
        response.headers["Cache-Control"] = kept
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
    for name, value in _HEADERS.items():
        response.headers[name] = value
    response.vary.update(["Accept-Language", "Cookie"])
    return response


def visitor() -> Session:
    """This request's session (`visit.py` puts it there)."""
    session: Session = flask.g.visitor
    return session


def visitor_known() -> bool:
    """False on a page that has to do without a session, such as an error's."""
    return "visitor" in flask.g


def words() -> Texts:
    """The texts in the language of this request: as switched, as the client asked (`ui_locales`,
    OpenID Connect Core section 3.1.2.1), as the browser asks."""
    if "words" not in flask.g:
        asked = waiting_parameters().get("ui_locales")
        kept = visitor().data.get("lang") if visitor_known() else None
        browser = " ".join(tag for tag, _ in flask.request.accept_languages)
        args = flask.request.args
        flask.g.words = look().texts[
            choose(args.get("lang"), kept, args.get("ui_locales"), asked, browser)
        ]
    texts: Texts = flask.g.words
    return texts


def waiting() -> str | None:
    """The handle of the authorize request that this visit is for, if it still waits. It is in the
    URL, so that two tabs don't mix; the session knows the last one, for whoever comes back from
    another host."""
    if not visitor_known():
        return None
    session = visitor()
    handle = flask.request.args.get("continue") or session.data.get("continue")
    return handle if handle in session.parked else None


def waiting_parameters() -> Mapping[str, str]:
    """The parameters of the authorize request that waits; empty where none does."""
    handle = waiting()
    return visitor().parked[handle].parameters if handle else {}


def href(endpoint: str) -> str:
    """The URL of a page of this visit."""
    handle = waiting()
    query = "?" + urlencode({"continue": handle}) if handle else ""
    return flask.url_for(f"pages.{endpoint}") + query


def store_name() -> str:
    """The store in whose name the visit goes on, in the page's language; "" for none."""
    code = visitor().data.get("store", "") if visitor_known() else ""
    return _in(words().language, current().settings.brand.stores.get(code) or {})


def in_language(names: Mapping[str, str]) -> str:
    """What settings say in several languages, in that of the page."""
    return _in(words().language, names)


def _in(language: str, names: Mapping[str, str]) -> str:
    return names.get(language) or next(iter(names.values()), "")


def _others(t: Texts) -> Iterable[str]:
    return (code for code in LANGUAGES if code != t.language)


def _switch(code: str) -> str:
    """This page in another language; after a refused form it is the form anew."""
    return "?" + urlencode({**flask.request.args.to_dict(), "lang": code})


def _forms() -> Iterable[str]:
    yield "'self'"
    for uri in current().clients.ends(waiting_parameters().get("client_id", "")):
        parts = urlsplit(uri)
        web = parts.scheme in ("http", "https")
        yield f"{parts.scheme}://{parts.netloc}" if web else f"{parts.scheme}:"


@cache
def _version(name: str) -> str:
    return hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:10]


def look() -> Look:
    """What the brand has put on the pages of this application."""
    return cast(Look, flask.current_app.extensions[LOOK])


def branded(name: str) -> Response:
    """A file of the brand's. A picture that is opened by itself runs nothing."""
    file = look().files.get(name)
    if file is None:
        flask.abort(404)
    response = Response(file.body, mimetype=file.mimetype)
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response


def _own(name: str) -> str:
    """The URL of a file of the brand's, "" where there is none."""
    file = look().files.get(name)
    return flask.url_for("pages.branded", name=name, v=file.version) if file else ""


def _asset(name: str) -> str:
    return flask.url_for("pages.static", filename=name, v=_version(name))
