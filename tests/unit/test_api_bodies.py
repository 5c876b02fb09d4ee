"""Hostile and careless requests: refused whole, by constant codes, with nothing echoed."""

import io
from collections.abc import Iterator

import pytest

from tests.unit.api_harness import Api

MARK = "li.wei@example.com"


@pytest.fixture
def api() -> Api:
    """A fresh application."""
    return Api()


def patch(api: Api, data: bytes, content_type: str = "application/json") -> tuple[int, str]:
    """Status and text of a PATCH with these bytes; it must have changed nothing."""
    token = api.token(api.member())
    answer = api.call("PATCH", "/v1/me", token, data=data, content_type=content_type)
    assert api.mailboxes.writes == []
    assert MARK not in answer.text
    assert answer.mimetype == "application/problem+json"
    return answer.status_code, answer.text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"given_name": "%s"' % MARK.encode(),
        b'{"given_name": "a", "given_name": "%s"}' % MARK.encode(),
        b'{"ext": {"favourite_model": "a", "favourite_model": "b"}}',
        b'{"given_name": NaN}',
        b'{"given_name": "\xff\xfe"}',
        b'{"given_name": "\\ud800"}',
        b'{"given_name": "a\\u0000b"}',
        b"[1]",
        b'"text"',
        b"null",
        b'{"given_name": ' + b"[" * 21 + b"]" * 21 + b"}",
        b"[" * 60_000,
        b'{"a":' * 10_000,
    ],
)
def test_what_isnt_one_plain_object_is_400(api: Api, data: bytes) -> None:
    """Broken, doubled, too deep, half a character, a NUL, or no object at all."""
    assert patch(api, data)[0] == 400


def test_nesting_within_bounds_reaches_the_schema(api: Api) -> None:
    """Twenty levels are looked at by the schema, which names the field."""
    data = b'{"given_name": ' + b"[" * 18 + b"]" * 18 + b"}"
    status, text = patch(api, data)
    assert (status, "/given_name" in text) == (422, True)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_media_type_is_415(api: Api, content_type: str) -> None:
    """Only JSON is read, so that no plain form of another site's is."""
    assert patch(api, b'{"given_name": "a"}', content_type)[0] == 415


def test_a_merge_patch_may_be_called_so(api: Api) -> None:
    """RFC 7396's own media type is taken."""
    token = api.token(api.member())
    answer = api.call(
        "PATCH",
        "/v1/me",
        token,
        data=b'{"given_name": "An"}',
        content_type="application/merge-patch+json",
    )
    assert answer.status_code == 204


def test_a_body_over_the_limit_is_413(api: Api) -> None:
    """With a length that says so, and without one."""
    assert patch(api, b" " * 65_537)[0] == 413
    token = api.token(api.member(id="30000000-0000-4000-8000-000000000003", subject="s-3"))
    answer = api.client.open(
        "/v1/me",
        method="PATCH",
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        input_stream=io.BytesIO(b" " * 70_000),
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 413


def test_a_body_of_the_limit_is_read(api: Api) -> None:
    """The last byte that is allowed is allowed."""
    token = api.token(api.member())
    data = b'{"given_name": "An"}'.ljust(65_536)
    answer = api.call("PATCH", "/v1/me", token, data=data, content_type="application/json")
    assert answer.status_code == 204


def unlikely() -> Iterator[tuple[str, str, int]]:
    """(method, path, status) of requests that no client of ours makes."""
    yield "GET", f"/v1/{MARK}", 404
    yield "GET", "/v1/me/", 404
    yield "POST", "/v1/me", 405
    yield "TRACE", "/v1/me", 405
    yield "GET", "/v1/operations/..%2f..%2fetc", 404
    yield "GET", f"/v1/operations/{MARK}", 404
    yield "GET", "/v1/operations/fit", 404


@pytest.mark.parametrize(("method", "path", "status"), list(unlikely()))
def test_other_requests_are_problems_too(api: Api, method: str, path: str, status: int) -> None:
    """404 and 405 are problem documents; 405 has Allow; the path isn't echoed."""
    answer = api.call(method, path, api.token(api.member()))
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert ("Allow" in answer.headers) == (status == 405)
    assert MARK not in answer.text
