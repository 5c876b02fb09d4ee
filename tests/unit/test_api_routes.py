"""Who may call what: every route against every kind of token."""

from collections.abc import Iterator

import pytest

from bridge.api.bearer import Who
from bridge.api.routes import ROUTES, Route
from tests.unit.api_harness import EVERY, Api

DOCUMENTS = {"/openapi.json", "/docs", "/docs/static/<path:filename>"}
PUBLIC = {"/v1/capabilities", "/healthz", "/readyz"} | DOCUMENTS
GUARDED = [route for route in ROUTES if route.who is not Who.ANYBODY]
IDS = [f"{route.method} {route.path}" for route in GUARDED]
BODIES = {
    "ChallengeForm": {"channel": "sms", "address": "13800138000", "purpose": "registration"},
    "CodeForm": {"code": "123456"},
    "RegistrationForm": {"proof": "x" * 20},
    "ResetForm": {"channel": "mail", "address": "li@example.com"},
    "NewPasswordForm": {"password": "lantern-tide-94", "proof": "x" * 20},
    "ClaimForm": {"proof": "x" * 20},
    "AddressForm": {"channel": "mail", "address": "li@example.com"},
    "ProofForm": {"proof": "x" * 20},
    "VouchForm": {"kind": "card", "value": "SH00012345"},
    "PasswordForm": {"password": "lantern-tide-94"},
    "MemberChange": {"given_name": "Li"},
    "ConsentsForm": {"consents": [{"purpose": "marketing", "granted": True, "text_version": "1"}]},
}


@pytest.fixture
def api() -> Api:
    """A fresh application."""
    return Api()


def call(api: Api, route: Route, token: str | None) -> int:
    """The status of a well-formed request to `route`."""
    path = route.path.replace("<id>", "A" * 22)
    body = {"json": BODIES[route.body]} if route.body else {}
    return int(api.call(route.method, path, token, **body).status_code)


def rules(api: Api) -> Iterator[tuple[str, str]]:
    """(method, path) of the real URL map."""
    for rule in api.app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield method, rule.rule


def test_no_route_answers_without_a_token(api: Api) -> None:
    """Every rule in the URL map that isn't on the public list answers 401 to a stranger."""
    for method, path in rules(api):
        if path in PUBLIC:
            continue
        answer = api.call(method, path.replace("<id>", "A" * 22))
        assert answer.status_code == 401, (method, path)
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_the_map_is_the_table(api: Api) -> None:
    """Every rule comes from the one table of routes, which alone has scopes."""
    table = {(route.method, route.path) for route in ROUTES}
    assert {each for each in rules(api) if each[1] not in DOCUMENTS} == table


@pytest.mark.parametrize("route", GUARDED, ids=IDS)
def test_a_route_takes_its_scope_and_no_other(api: Api, route: Route) -> None:
    """With each scope of its own a route lets in; with all the others together it doesn't."""
    owner = None if route.who is Who.CLIENT else api.member()
    lacking = api.token(owner, EVERY - frozenset(route.scopes))
    assert call(api, route, lacking) == 403
    for scope in route.scopes:
        assert call(api, route, api.token(owner, frozenset([scope]))) not in (401, 403)


@pytest.mark.parametrize("route", GUARDED, ids=IDS)
def test_a_route_takes_one_sort_of_token(api: Api, route: Route) -> None:
    """A member's token opens no client route, a client's none of a member's."""
    member, client = api.token(api.member()), api.token(None)
    if route.who is not Who.EITHER:
        wrong = client if route.who is Who.MEMBER else member
        assert call(api, route, wrong) == 403


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.fresh], ids=[f"{r.method} {r.path}" for r in ROUTES if r.fresh]
)
def test_an_old_sign_in_is_challenged(api: Api, route: Route) -> None:
    """RFC 9470: 401 with `insufficient_user_authentication` and the age that is asked for."""
    old = api.token(api.member(), auth_time=int(api.now) - 601)
    body = {"json": BODIES[route.body]} if route.body else {}
    answer = api.call(route.method, route.path.replace("<id>", "A" * 22), old, **body)
    assert answer.status_code == 401
    assert answer.get_json()["type"].endswith("/step-up")
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer error="insufficient_user_authentication", max_age="600"'
    )


@pytest.mark.parametrize(("acr", "status"), [("aal1", 401), ("aal2", 404), ("", 401)])
def test_a_weak_sign_in_is_challenged_where_the_operator_says_so(
    api: Api, acr: str, status: int
) -> None:
    """`oauth.step_up_acr`: a recent sign-in isn't enough then; the challenge names the level."""
    api.parts.settings.oauth.step_up_acr = "aal2"
    token = api.token(api.member(), acr=acr)
    answer = api.call("DELETE", "/v1/me/identities/" + "A" * 22, token)
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == (
            'Bearer error="insufficient_user_authentication", max_age="600", acr_values="aal2"'
        )


def test_what_matters_needs_a_fresh_sign_in() -> None:
    """The routes that change who can sign in, that can't be undone, or that hand out everything."""
    assert {(route.method, route.path) for route in ROUTES if route.fresh} == {
        ("DELETE", "/v1/me"),
        ("GET", "/v1/me/export"),
        ("PUT", "/v1/me/mobile"),
        ("PUT", "/v1/me/email"),
        ("POST", "/v1/me/identities"),
        ("DELETE", "/v1/me/identities/<id>"),
    }


@pytest.mark.parametrize("route", GUARDED, ids=IDS)
def test_a_token_for_somebody_else_opens_nothing(api: Api, route: Route) -> None:
    """A good token whose audience isn't this API is 401."""
    owner = None if route.who is Who.CLIENT else api.member()
    token = api.token(owner, audience=("https://cms.example.com",))
    assert call(api, route, token) == 401


def test_challenges_are_those_of_rfc_6750(api: Api) -> None:
    """A bad token is `invalid_token`; a missing scope is named; a token in the query is none."""
    bad = api.call("GET", "/v1/me", "nonsense")
    assert bad.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    token = api.token(api.member(), frozenset(["consents:read"]))
    lacking = api.call("GET", "/v1/me", token)
    assert lacking.headers["WWW-Authenticate"] == (
        'Bearer error="insufficient_scope", scope="member:read"'
    )
    good = api.token(api.member(id="20000000-0000-4000-8000-000000000002"))
    assert api.call("GET", f"/v1/me?access_token={good}").status_code == 401
    for scheme, status in (("Basic", 401), ("bearer", 200), ("BEARER", 200)):
        headers = {"Authorization": f"{scheme} {good}"}
        assert api.call("GET", "/v1/me", headers=headers).status_code == status


def test_the_document_has_exactly_the_routes(api: Api) -> None:
    """OpenAPI 3.1: every route and no other, each guarded one with its scope, each with Problem."""
    document = api.call("GET", "/openapi.json").get_json()
    assert document["openapi"].startswith("3.1")
    listed = {
        (method.upper(), path): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method != "parameters"
    }
    assert set(listed) == {(r.method, r.path.replace("<id>", "{id}")) for r in ROUTES}
    for route in GUARDED:
        operation = listed[route.method, route.path.replace("<id>", "{id}")]
        assert operation["security"] == [{"bearer": list(route.scopes)}]
        assert "default" in operation["responses"]
    problem = document["components"]["responses"]["DEFAULT_ERROR"]["content"]
    assert list(problem) == ["application/problem+json"]
    shown = document["components"]["schemas"]["Problem"]
    assert shown["additionalProperties"] is True, "a problem may bring members of its own"
    assert "favourite_model" in str(document["components"]["schemas"]["MemberChangeExt"])


def test_the_page_loads_nothing_from_elsewhere(api: Api) -> None:
    """/docs is whole by itself: no script, one stylesheet of our own, and a policy that says so."""
    page = api.call("GET", "/docs")
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "src=" not in page.text
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert api.call("GET", "/docs/static/docs.css").status_code == 200
    assert "Change the member&#39;s own record" in page.text


def test_documents_are_served_only_where_settings_say_so() -> None:
    """Without `serve_docs` there is no document, no page and no detail of readiness."""
    api = Api(serve_docs=False)
    assert api.call("GET", "/openapi.json").status_code == 404
    assert api.call("GET", "/docs").status_code == 404
    assert api.call("GET", "/readyz").get_json() == {"status": "ok"}
