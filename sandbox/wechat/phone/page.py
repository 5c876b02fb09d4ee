"""The page and its one form target. It works without its script, which only spares reloads."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from sandbox.wechat.consent import COOKIE
from sandbox.wechat.events import scan_document
from sandbox.wechat.phone.chat import at, chat_of
from sandbox.wechat.phone.words import LANGUAGES, words_of
from sandbox.wechat.push import pushed
from sandbox.wechat.qrcodes import QrCode

if TYPE_CHECKING:
    from sandbox.wechat.users import User
    from sandbox.wechat.world import World

SHOWN_CODES = 30
EVENTS = {  # what the person can do, as the push that it causes
    "follow": {"event": "subscribe"},
    "unfollow": {"event": "unsubscribe"},
    "menu": {"event": "CLICK", "key": "menu"},
    "revoke": {"event": "user_authorization_revoke"},
}
CLOCK = {"minute": 60.0, "hour": 3600.0, "two_days": 48 * 3600.0}
Act = Callable[["World", "User"], str | None]


def phone_blueprint(world: "World") -> Blueprint:
    """`GET /_sandbox/` and `POST /_sandbox/phone`."""
    plane = Blueprint(
        "wechat_phone",
        __name__,
        url_prefix="/_sandbox",
        template_folder="templates",
        static_folder="static",
        static_url_path="/phone",
    )

    @plane.get("/")
    def page() -> ResponseReturnValue:
        with world.lock:
            user = _holder(world)
            response = make_response(render_template("phone.html", **_seen(world, user)))
        response.headers["Content-Security-Policy"] = _policy(world)
        response.headers["Cache-Control"] = "no-store"
        return _remember(response, user)

    @plane.post("/phone")
    def act() -> ResponseReturnValue:
        user = _holder(world)
        note = ACTS.get(request.form.get("act", ""), _unknown)(world, user)
        query = f"?lang={_language()}" + (f"&note={note}" if note else "")
        response = make_response(redirect(f"/_sandbox/{query}", 303))
        chosen = world.users.find(request.form.get("user") or request.form.get("name") or "")
        return _remember(response, chosen or user)

    return plane


def _policy(world: "World") -> str:
    """Nothing inline, nothing from elsewhere; pages of this machine may be framed."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"frame-src {world.browser_url}"
    )


def _language() -> str:
    asked = request.values.get("lang")
    return asked if asked in LANGUAGES else request.accept_languages.best_match(LANGUAGES) or "en"


def _holder(world: "World") -> "User":
    """Whose WeChat this browser holds; the first user's where nothing was chosen."""
    return world.users.find(request.cookies.get(COOKIE, "")) or world.users.everyone()[0]


def _remember(response: Response, user: "User") -> Response:
    response.set_cookie(COOKIE, user.openid, httponly=True, samesite="Lax")
    return response


def _seen(world: "World", user: "User") -> dict[str, Any]:
    language, now = _language(), world.clock.now()
    words = words_of(language)
    note = words.get(f"note_{request.args.get('note')}")
    codes = list(reversed(world.qrcodes.newest(SHOWN_CODES + 1)))
    return {
        "w": words,
        "language": language,
        "languages": LANGUAGES,
        "note": note,
        "user": user,
        "users": world.users.everyone(),
        "chat": chat_of(world, user),
        "codes": [_code(world, code) for code in codes[:SHOWN_CODES]],
        "more_codes": len(codes) > SHOWN_CODES,
        "windows": _windows(world, user, now),
        "now": at(now, "%Y-%m-%d %H:%M"),
        "offset": round(now - time.time()),
    }


def _code(world: "World", code: QrCode) -> dict[str, Any]:
    until = None if code.until is None else at(code.until, "%m-%d %H:%M:%S")
    told = {"ticket": code.ticket, "scene": code.scene, "until": until}
    return told | {"lives": world.qrcodes.lives(code)}


def _windows(world: "World", user: "User", now: float) -> list[dict[str, Any]]:
    """Those that are open, the first to end first."""
    held = world.windows.state().get(user.openid, {})
    shown = [
        {"trigger": trigger, "until": window["until"], "left": window["left"]}
        for trigger, window in held.items()
        if (window["until"] or 0) > now
    ]
    for window in shown:
        window["ends"] = at(float(window["until"] or 0), "%m-%d %H:%M:%S")
    return sorted(shown, key=lambda window: window["until"] or 0)


def _pushed(world: "World", document: dict[str, Any]) -> str | None:
    """Note to show: nothing where the account was told."""
    if not world.account.callback_url:
        return "callback"
    return None if pushed(world, [document])[0]["delivered"] else "unheard"


def _event(world: "World", user: "User") -> str | None:
    return _pushed(world, EVENTS[request.form["act"]] | {"openid": user.openid})


def _say(world: "World", user: "User") -> str | None:
    text = request.form.get("text", "").strip()
    if not text or not user.follows:
        return "wrong"
    document = {"event": "text", "openid": user.openid, "text": text}
    if "menu_id" in request.form:
        document["menu_id"] = request.form["menu_id"]
    return _pushed(world, document)


def _scan(world: "World", user: "User") -> str | None:
    try:
        with world.lock:
            asked = {"openid": user.openid, "ticket": request.form.get("ticket", "")}
            document = scan_document(world, asked)
    except LookupError:
        return "ended"
    except ValueError:
        return "wrong"
    return _pushed(world, document)


def _pay(world: "World", user: "User") -> str | None:
    with world.lock:
        world.windows.open(user.openid, "payment")
    return None


def _choose(world: "World", user: "User") -> str | None:
    return None if world.users.find(request.form.get("user", "")) else "wrong"


def _add(world: "World", user: "User") -> str | None:
    try:
        with world.lock:
            world.users.add(request.form.get("name", "").strip()[:40])
    except ValueError:
        return "taken"
    return None


def _move_clock(world: "World", user: "User") -> str | None:
    step = request.form.get("step", "")
    if step == "now":
        world.clock.set(None)
    world.clock.advance(CLOCK.get(step, 0.0))
    return None


def _unknown(world: "World", user: "User") -> str | None:
    return "wrong"


ACTS: dict[str, Act] = {
    **dict.fromkeys(EVENTS, _event),
    "say": _say,
    "scan": _scan,
    "pay": _pay,
    "choose": _choose,
    "add": _add,
    "clock": _move_clock,
}
