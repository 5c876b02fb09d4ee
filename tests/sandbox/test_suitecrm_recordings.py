"""The sandbox answers as a real SuiteCRM 7.14.6 did: 59 recorded exchanges, in their order.

What may differ is in `NORMAL` and `_learned` alone: times, tokens, and ids that the server chose.
The recordings hold parsed bodies, so "the same" means the same JSON text with the same order of
keys, not the same blanks.
"""

import json
import re
from pathlib import Path

import pytest
import requests

from sandbox.kit.run import running

HERE = Path(__file__).parent
EXCHANGES = [
    json.loads(line)
    for line in (HERE / "recordings" / "suitecrm-7.14.6-v8.jsonl").read_text().splitlines()
]
NORMAL = (
    (
        re.compile(r'"(date_entered|date_modified)": "\d{4}-\d\d-\d\dT\d\d:\d\d:00\+00:00"'),
        r'"\1": T',
    ),
    (re.compile(r'"(access_token|refresh_token)": "[^"]+"'), r'"\1": X'),
)
"""Times (whole minutes of UTC, as V8 shows them) and tokens."""
WITHOUT = {"auth.none": None, "auth.garbage": "Bearer garbage"}
AFTER = ("auth.old_token_after_refresh",)


class Replay:
    """One pass over a stock server: ids and tokens are carried from answer to request."""

    def __init__(self, ready, session):
        self.url, self.http = ready["url"], session
        self.ids: dict[str, str] = {}
        self.client, self.old, self.refresh = "", "", ""

    def run(self, exchange):
        """(recorded, answered) as (status, content type, body)."""
        asked, told = exchange["request"], exchange["response"]
        answer = self._send(exchange["name"], asked)
        body = answer.json()
        self._keep(asked, body)
        self._learned(told["body"], body)
        recorded = told["status"], told["content_type"], _normal(told["body"])
        text = _normal(body)
        for theirs, ours in self.ids.items():
            text = text.replace(ours, theirs)
        return recorded, (answer.status_code, answer.headers["Content-Type"], text)

    def _send(self, name, asked):
        sent = json.dumps(asked["body"])
        path = asked["path"]
        for theirs, ours in self.ids.items():
            sent, path = sent.replace(theirs, ours), path.replace(theirs, ours)
        given = json.loads(sent.replace('"<token>"', json.dumps(self.refresh)))
        token = self.old if name in AFTER else self.client
        headers = {"Authorization": WITHOUT.get(name, f"Bearer {token}")}
        url = self.url + path
        if asked["form"]:
            return self.http.request(asked["method"], url, data=given, headers=headers, timeout=10)
        return self.http.request(asked["method"], url, json=given, headers=headers, timeout=10)

    def _keep(self, asked, body):
        """The first pair's refresh token is used twice, its access token once more."""
        grant = (asked["body"] or {}).get("grant_type")
        if grant == "client_credentials":
            self.client = body.get("access_token", self.client)
        if grant == "password" and "refresh_token" in body:
            self.old, self.refresh = body["access_token"], body["refresh_token"]

    def _learned(self, theirs, ours):
        """An id that the server chose stands for the recorded one from here on."""
        one, other = theirs.get("data"), ours.get("data")
        if isinstance(one, dict) and isinstance(other, dict) and "id" in one:
            self.ids[one["id"]] = other.get("id", "")


def _normal(body):
    text = json.dumps(body, ensure_ascii=False)
    for pattern, replacement in NORMAL:
        text = pattern.sub(replacement, text)
    return text


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    """Every exchange, played once against a stock server."""
    directory = tmp_path_factory.mktemp("suitecrm")
    with running({"suitecrm": 0}, directory) as ready, requests.Session() as session:
        session.trust_env = False
        session.verify = ready["suitecrm"]["ca_file"]
        url = ready["suitecrm"]["url"]
        session.post(f"{url}/_sandbox/package", json={"installed": False}, timeout=10)
        replay = Replay(ready["suitecrm"], session)
        yield {exchange["name"]: replay.run(exchange) for exchange in EXCHANGES}


def test_all_are_there():
    """None of the recorded exchanges is left out."""
    assert len({exchange["name"] for exchange in EXCHANGES}) == len(EXCHANGES) == 59


@pytest.mark.parametrize("name", [exchange["name"] for exchange in EXCHANGES])
def test_answers_as_recorded(replayed, name):
    """Given the same state, status, type and body are those of the real server."""
    recorded, answered = replayed[name]
    assert answered == recorded
