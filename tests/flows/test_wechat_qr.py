"""`POST /v1/qr-codes`: a client with the right scope makes a store's code; nobody else does."""

import pytest
import requests

from bridge.store.grants import Authorization, Code
from tests.support.wechat_line import Line, running


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """One line for the whole file."""
    with running(tmp_path_factory.mktemp("wechat")) as line:
        yield line


def token(line: Line, *scope: str, audience: str = "") -> str:
    """A client's own token."""
    audiences = (audience or line.url,)
    return line.grants.issue_client_token("cms", frozenset(scope), audiences).access_token


def post(line: Line, body, bearer: str | None = None, **headers: str) -> requests.Response:
    """The request, with a good token unless told otherwise."""
    bearer = token(line, "qr:write") if bearer is None else bearer
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    return requests.post(f"{line.url}/v1/qr-codes", json=body, headers=headers, timeout=5)


def test_a_store_s_code_is_made(line: Line) -> None:
    """The answer has the signed scene, ticket, text and image; scanning it shows the store."""
    answer = post(line, {"store": "SH001", "campaign": "spring26", "channel": "window"})

    made = answer.json()
    assert answer.status_code == 201
    scene = line.channel.scenes.read(made["scene"])
    assert (scene.codes, scene.issued) == ("SH001.spring26.window", line.channel.scenes.today())
    assert requests.get(made["image_url"], timeout=5).status_code == 200
    assert made["expire_seconds"] is None
    told = line.control("scan", {"user": "He Tianlan", "ticket": made["ticket"]})
    assert "上海店" in told["shown"]["Content"]


def test_a_temporary_code_ends(line: Line) -> None:
    """kind temporary takes its seconds."""
    answer = post(line, {"store": "SH001", "kind": "temporary", "expire_seconds": 600})

    assert (answer.status_code, answer.json()["expire_seconds"]) == (201, 600)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/store"),
        ({"store": "XX999"}, "/store"),
        ({"store": "上海"}, "/store"),
        ({"store": "SH001", "campaign": "a.b"}, "/campaign"),
        ({"store": "SH001", "campaign": "c" * 32, "channel": "d" * 32}, "/campaign"),
        ({"store": "SH001", "kind": "temporary"}, "/expire_seconds"),
        ({"store": "SH001", "expire_seconds": 600}, "/expire_seconds"),
        ({"store": "SH001", "kind": "temporary", "expire_seconds": 3_000_000}, "/expire_seconds"),
        ({"store": "SH001", "kind": "eternal"}, "/kind"),
        ({"store": "SH001", "li.na@example.com": 1}, ""),
        ([1], ""),
    ],
)
def test_what_can_not_be_a_code_is_refused(line: Line, body, pointer) -> None:
    """A problem with a pointer to the field; WeChat isn't asked and nothing is echoed."""
    asked = line.asked("/cgi-bin/qrcode/create")

    answer = post(line, body)

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert line.asked("/cgi-bin/qrcode/create") == asked
    assert "example.com" not in answer.text


def test_only_a_client_with_the_scope_makes_codes(line: Line) -> None:
    """No token or an unknown one is 401, another audience's too; without the scope, and for a
    member's token, it is 403."""
    member = line.grants.redeem(*_code(line), refreshable=False)

    assert member is not None
    wanted = {"store": "SH001"}
    assert post(line, wanted, "").status_code == 401
    assert post(line, wanted, "unknown").status_code == 401
    other = token(line, "qr:write", audience="https://other.example")
    assert post(line, wanted, other).status_code == 401
    assert post(line, wanted, token(line, "profile")).status_code == 403
    assert post(line, wanted, member.access_token).status_code == 403


def _code(line: Line) -> tuple[str, Code]:
    scope = frozenset(["qr:write"])
    authorization = Authorization("cms", scope, (line.url,), member_id="m", subject="s")
    secret = line.grants.new_code(Code(authorization, "https://x.example", "c"))
    found = line.grants.look(secret, "cms")
    assert found is not None
    return secret, found


def test_a_refusal_of_wechat_is_told_by_its_code(line: Line) -> None:
    """Over the quota: 503 with WeChat's number, and nothing of its text."""
    line.control("faults", {"kind": "status", "status": 200, "code": "45009",
                            "match": {"path_prefix": "/cgi-bin/qrcode"}})  # fmt: skip

    answer = post(line, {"store": "SH001"})

    assert (answer.status_code, answer.json()["wechat_code"]) == (503, 45009)
    assert "errmsg" not in answer.text
    assert "rid: " not in answer.text
