"""Becoming a member: from a store's link through mobile, code and details to a CRM record.

Not for: what a registration is (`bridge/services/registration.py`). Nothing personal is in a URL,
and nothing typed in the last step is kept: it goes sealed into the mailbox, and the session keeps
the operation's id. Nobody is signed in before the CRM has confirmed the record.
"""

from typing import Any

import flask
from flask import Blueprint
from flask.typing import ResponseReturnValue

from adapters.errors import CrmError, Unavailable
from bridge.edge.request import go_on, trace
from bridge.errors import Problem, from_crm
from bridge.pages import codes, forms
from bridge.pages.frame import href, show, visitor, waiting, words
from bridge.pages.signing_in import BOTH, enter
from bridge.pages.trouble import in_place
from bridge.pages.visit import page
from bridge.parts import current
from bridge.services import operations, proofs, registration
from bridge.services.proofs import Proof
from bridge.services.scenes import BadScene, Scene
from bridge.services.sign_in import by_proof, has_member
from bridge.store.limits import network
from bridge.writes.write import Outcome

WECHAT_PROOF, WECHAT_OUTCOME, WECHAT_BACK = "wechat_oa", "wechat_outcome", "wechat_back"
"""In the session, as `bridge/wechat/web_oauth.py` says: who holds this browser, and where to go."""
WAIT_SECONDS = 2.5
"""How long the last step waits for the CRM before it shows the page that waits."""
LONG_SECONDS = 20
"""From then on the waiting page says that one may leave."""


def add_to(pages: Blueprint) -> None:
    """The routes."""
    pages.add_url_rule("/register", "register", page(register), methods=BOTH)
    pages.add_url_rule("/register/code", "register_code", page(register_code), methods=BOTH)
    pages.add_url_rule("/register/again", "register_again", page(register_again), methods=BOTH)
    pages.add_url_rule("/register/details", "details", page(details), methods=BOTH)
    pages.add_url_rule("/register/pending", "pending", page(pending))
    pages.add_url_rule("/register/progress", "progress", page(progress))
    pages.add_url_rule("/register/welcome", "welcome", page(welcome))
    pages.add_url_rule("/register/already", "already", page(already))


def register() -> ResponseReturnValue:
    """The first step. `?s=`: a signed link of a store, which then is in the session and not in the
    URL. Inside WeChat the browser first proves, silently, whose WeChat it is."""
    data, link = visitor().data, flask.request.args.get("s")
    if link is not None:
        return _from_link(link)
    if flask.request.method != "POST" and _inside_wechat() and WECHAT_OUTCOME not in data:
        data[WECHAT_BACK], data[WECHAT_OUTCOME] = href("register"), "asked"
        return flask.redirect("/wechat/oauth/start", 303)
    return codes.number(JOINING)


def _from_link(link: str) -> ResponseReturnValue:
    data = visitor().data
    try:
        scene, traceparent = current().scenes.open_link(link)
    except BadScene:
        t = words()
        lines, links = [t("problem.link.lead")], [("sign_in.register", href("register"))]
        return show("message.html", 400, title=t("problem.link.title"), lines=lines, links=links)
    data["scene"], data["store"] = current().scenes.write(scene), scene.store
    data["trace"] = traceparent
    _join_trace()
    return flask.redirect(href("register"), 303)


def _inside_wechat() -> bool:
    agent = flask.request.user_agent.string
    return bool(current().settings.wechat.enabled) and "MicroMessenger" in agent


def _join_trace() -> None:
    """The journey goes on under the trace of the scan that it came from."""
    known = visitor().data.get("trace")
    if known:
        go_on(known)


def register_code() -> ResponseReturnValue:
    """The second step."""
    return codes.code(JOINING)


def register_again() -> ResponseReturnValue:
    """Another code."""
    return codes.again(JOINING)


def _proven(ticket: str) -> ResponseReturnValue:
    """The number is theirs, so they may know whether it is a member's already."""
    _join_trace()
    parts, session = current(), visitor()
    proof = proofs.open_ticket(parts, ticket, "registration", session.binding)
    taken = _has_member(proof)
    session.data["proofs"] = [ticket] if taken else [ticket, *_wechat_ticket()]
    session.data["mobile"] = codes.masked(proof.value)
    session.data.pop("operation", None)
    JOINING.forget()
    return flask.redirect(href("already" if taken else "details"), 303)


JOINING = codes.Proving("registration", "register", "register_code", "register_again", _proven)


def _wechat_ticket() -> list[str]:
    """A ticket for the WeChat user who holds this browser; none for one who is a member already."""
    parts, session = current(), visitor()
    value = session.data.get(WECHAT_PROOF)
    if not value:
        return []
    ticket = proofs.issue(parts, WECHAT_PROOF, value, "registration", session.binding)
    proof = proofs.open_ticket(parts, ticket, "registration", session.binding)
    return [] if _has_member(proof) else [ticket]


def _has_member(proof: Proof) -> bool:
    """Told from what the CRM says now. While it can't be asked, joining goes on: the change set
    itself finds a member who has this address."""
    try:
        return has_member(current(), proof, trace())
    except Unavailable:
        return False


def details() -> ResponseReturnValue:
    """The third step, which makes the write. Sent twice, it is one registration."""
    parts, data, t = current(), visitor().data, words()
    if "operation" in data:
        return flask.redirect(href("pending"), 303)
    try:
        proven = _proofs()
    except Problem:
        return _proof_over()
    if flask.request.method != "POST":
        return show("details.html", **_third())
    form = flask.request.form
    read = forms.details(form, parts.mapping, parts.settings.consents, t)
    view = {"values": form.to_dict(), **_third()}
    if read.errors:
        return show("details.html", 422, errors=read.errors, **view)
    try:
        done = _submit(proven, read)
    except Problem as problem:
        if problem.type == "validation":
            return show("details.html", 422, errors=forms.errors_of(problem, t), **view)
        return _not_accepted(problem, view)
    except CrmError as error:
        return _not_accepted(from_crm(error), view)
    data["operation"], data["since"] = done.op, parts.clock()
    parts.sessions.save(visitor())  # before the wait: a second click, or a reload, finds it
    parts.mailboxes.wait(done.op, WAIT_SECONDS)
    return flask.redirect(href("pending"), 303)


def _proofs() -> list[Proof]:
    """What this visit has proven. Raises Problem("proof-invalid")."""
    parts, session = current(), visitor()
    tickets = session.data.get("proofs") or [""]
    return [proofs.open_ticket(parts, t, "registration", session.binding) for t in tickets]


def _proof_over() -> ResponseReturnValue:
    had = visitor().data.pop("proofs", None)
    if had:
        visitor().data["notice"] = "error.proof"
    return flask.redirect(href("register"), 303)


def _third() -> dict[str, Any]:
    t, parts = words(), current()
    consents = [
        {**c, "text": c["text"].get(t.language) or next(iter(c["text"].values()))}
        for c in parts.settings.consents
    ]
    mobile = visitor().data.get("mobile", "")
    return {"consents": consents, "address": mobile, "asked": forms.asked(parts.mapping)}


def _submit(proven: list[Proof], read: forms.Details) -> registration.Registration:
    _join_trace()
    parts = current()
    parts.limits.hit("registrations_per_network", network(codes.address()))
    parts.limits.hit("registrations_per_client", codes.client())
    profile = dict(read.profile)
    if "language" in parts.mapping.kinds["member"].fields:
        profile["language"] = words().language
    form = registration.Form(profile, read.consents, read.password)
    visit = registration.Visit("pages", _owner(), channel(), trace(), _scene())
    try:
        return registration.register(parts, proven, form, visit)
    except Problem as problem:
        if problem.type != "conflict" or len(proven) < 2:
            raise
        return registration.register(parts, proven[:1], form, visit)  # WeChat is another member's


def _owner() -> str:
    """Who may ask for the outcome: this visit alone."""
    return operations.owner(current().names, member_id=None, client=visitor().binding)


def channel() -> str:
    """Through what a member came, as a registration and a consent say it."""
    return "wechat" if _inside_wechat() else "web"


def _scene() -> Scene | None:
    kept = visitor().data.get("scene")
    return current().scenes.read(kept) if kept else None


def _not_accepted(problem: Problem, view: dict[str, Any]) -> ResponseReturnValue:
    """Nothing was accepted, or nobody knows: sending the form again is safe in both cases."""
    if problem.type == "conflict":
        return flask.redirect(href("already"), 303)
    if problem.type == "claimable":
        return _known_already()
    if problem.type == "proof-invalid":
        return _proof_over()
    if problem.type == "key-reuse":  # sent twice at once, with something changed: the first counts
        now = current().sessions.load(visitor().id)
        visitor().data |= now.data if now else {}
        return flask.redirect(href("pending"), 303)
    return in_place(problem, "details.html", **view)


def _known_already() -> ResponseReturnValue:
    """A record waits for the holder of this number, which these pages can't hand over."""
    t = words()
    title, lines = t("register.claimable_title"), [t("register.claimable_lead")]
    return show("message.html", 409, title=title, lines=lines, links=[])


def pending() -> ResponseReturnValue:
    """Waits for the CRM; then goes on."""
    _join_trace()
    if "operation" not in visitor().data:
        done = "welcome" in visitor().data
        return flask.redirect(href("welcome" if done else "register"), 303)
    outcome = _outcome()
    if outcome is None:
        long = current().clock() - visitor().data.get("since", 0) > LONG_SECONDS
        here, poll = href("pending"), href("progress")
        return show("pending.html", long=long, words="register", poll=poll, here=here)
    problem = operations.problem_of(outcome)
    if problem is None:
        return _joined()
    visitor().data.pop("operation")
    if problem == "conflict":
        return flask.redirect(href("already"), 303)
    visitor().data.pop("proofs", None)
    t = words()
    lines, links = [t("register.refused_lead")], [("register.again", href("register"))]
    return show("message.html", title=t("register.refused_title"), lines=lines, links=links)


def progress() -> ResponseReturnValue:
    """What the waiting page asks: {"done": bool}."""
    done = "operation" not in visitor().data or _outcome() is not None
    return {"done": done}


def _outcome() -> Outcome | None:
    return current().mailboxes.outcome(visitor().data["operation"], _owner())


def _joined() -> ResponseReturnValue:
    """The record is in the CRM. Where a client waits, the visit is signed in by its own proof, as
    the CRM now confirms it; else the member signs in when they like."""
    parts, data = current(), visitor().data
    if waiting():
        try:
            found = by_proof(parts, _proofs()[0], trace())
        except Problem:  # the proof is over ten minutes old
            found = None
        if found is not None:
            return enter(found)
    for name in ("operation", "since", "proofs", "mobile", "trace", "scene", "notice"):
        data.pop(name, None)
    data["welcome"] = True
    return flask.redirect(href("welcome"), 303)


def welcome() -> ResponseReturnValue:
    """Says that it is done."""
    if "welcome" not in visitor().data:
        return flask.redirect(href("register"), 303)
    t = words()
    lines = [t("register.welcome_lead"), t("register.welcome_next")]
    links = [("sign_in.submit", href("sign_in"))]
    title = t("register.welcome_title")
    return show("message.html", title=title, lines=lines, links=links, done=True)


def already() -> ResponseReturnValue:
    """For whoever proved a number that has a member."""
    mobile = visitor().data.get("mobile")
    if not mobile:
        return flask.redirect(href("register"), 303)
    t = words()
    lines = [t("register.already_lead", address=mobile)]
    links = [("register.sign_in", href("sign_in")), ("otp.change", href("register"))]
    return show("message.html", title=t("register.already_title"), lines=lines, links=links)
