"""The build to compare with: what one writes first with Flask, requests, redis-py, marshmallow, RQ.

Not for: learning from. It keeps no promise of the bridge's (nothing is sealed, ordered, paced,
checked against the session or protected from a lost reply); it is written well otherwise: one
Session, one schema, one pool.
"""

import os
import time
from hashlib import sha256
from typing import Any

import redis
import requests
from flask import Flask, Response, abort, jsonify, request
from marshmallow import Schema, fields
from rq import Queue
from rq.serializers import JSONSerializer

from benchmarks.crm import TOKEN

UPSTREAM = os.environ.get("PLAIN_UPSTREAM", "")
SELECT = (
    "contactid,firstname,lastname,emailaddress1,mobilephone,birthdate,gendercode,"
    "externaluseridentifier,cb_points,cb_tier,cb_language,cb_registeredstore,cb_registeredat,"
    "cb_favouritemodel"
)
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}
SHARDS = 4
_checked: dict[str, str] = {}


class Member(Schema):
    """What a client sees."""

    subject = fields.String(attribute="externaluseridentifier")
    given_name = fields.String(attribute="firstname")
    family_name = fields.String(attribute="lastname")
    email = fields.String(attribute="emailaddress1")
    mobile = fields.String(attribute="mobilephone")
    birth_date = fields.String(attribute="birthdate")
    gender = fields.Integer(attribute="gendercode")
    language = fields.Integer(attribute="cb_language")
    points = fields.Float(attribute="cb_points")
    tier = fields.Integer(attribute="cb_tier")
    registered_store = fields.String(attribute="cb_registeredstore")
    member_since = fields.String(attribute="cb_registeredat")
    favourite_model = fields.String(attribute="cb_favouritemodel")


class Change(Schema):
    """What a client may change."""

    given_name = fields.String()
    family_name = fields.String()
    email = fields.Email()
    birth_date = fields.Date()
    language = fields.String()


def _connected(name: str) -> redis.Redis:
    return redis.Redis.from_url(os.environ[name])


def session() -> requests.Session:
    """As it comes, but for the machine's proxies and CA bundles, which aren't the point."""
    made = requests.Session()
    made.trust_env = False
    return made


def create_app() -> Flask:
    """The plain build."""
    app = Flask("plain")
    crm, shown, change = session(), Member(), Change()
    tokens = _connected("PLAIN_TOKENS")
    queue = Queue("plain", connection=_connected("PLAIN_QUEUE"), serializer=JSONSerializer)

    def member() -> str:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        found = tokens.get(f"plain:{sha256(token.encode()).hexdigest()}")
        if not isinstance(found, bytes):
            abort(401)
        return found.decode()

    @app.get("/v1/me")
    def read() -> Response:
        url = f"{UPSTREAM}/api/data/v9.2/contacts({member()})?$select={SELECT}"
        answer = crm.get(url, headers=HEADERS, timeout=(2, 4))
        answer.raise_for_status()
        return jsonify(shown.dump(answer.json()))

    @app.patch("/v1/me")
    def write() -> tuple[Response, int]:
        # The token check is left out of the comparison: it is known in this process.
        token = request.headers["Authorization"]
        who = _checked.get(token) or _checked.setdefault(token, member())
        content = change.dump(change.load(request.get_json()))
        job = queue.enqueue("benchmarks.plain.apply", who, content)
        return jsonify({"id": job.id}), 202

    @app.get("/bare")
    def bare() -> Response:
        return jsonify({"status": "ok"})

    return app


_session: list[requests.Session] = []


def apply(member: str, content: dict[str, Any]) -> None:
    """The plain build's job: one PATCH."""
    if not _session:
        _session.append(session())
    url = f"{UPSTREAM}/api/data/v9.2/contacts({member})"
    _session[0].patch(url, json=content, headers=HEADERS, timeout=(2, 20)).raise_for_status()


def work(shard: str) -> None:
    """One RQ worker on one shard, until the queue is empty."""
    from rq import SimpleWorker

    connection = _connected("PLAIN_QUEUE")
    queue = Queue(f"shard-{shard}", connection=connection, serializer=JSONSerializer)
    worker = SimpleWorker([queue], connection=connection, serializer=JSONSerializer)
    while connection.get("plain:go") is None:
        time.sleep(0.005)
    worker.work(burst=True, logging_level="WARNING")


if __name__ == "__main__":
    import sys

    work(sys.argv[1])
