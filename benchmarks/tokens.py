"""The token endpoint and a protected read beside a bare Flask route on the same server.

Not for: reads behind a slow CRM (`reads.py`): here it answers at once.
"""

import base64
import json
from urllib.parse import quote, urlencode

from benchmarks import load
from benchmarks.figures import Number, Rounds, rate
from benchmarks.load import Next, Source, same
from benchmarks.plan import Plan
from benchmarks.reads import request
from benchmarks.stage import Member, Stage
from bridge.cli.published import SANDBOX_CLIENT_SECRETS

CONNECTIONS = 16


def measure(stage: Stage, plan: Plan) -> tuple[list[Rounds], list[Number]]:
    """One cell with four targets."""
    members = stage.members(CONNECTIONS)
    bridge, plain = stage.bridge(), stage.plain_on_granian()
    stage.delay(0)
    grant = {"grant_type": "client_credentials", "scope": "registrations:write"}
    targets = {
        "bare Flask route": (plain, same(request(members[0], "/bare"))),
        "client_credentials": (bridge, same(_token_request("store-backend", grant))),
        "refresh_token": (bridge, _refreshing(members)),
        "protected read": (bridge, same(request(members[0]))),
    }
    cell = Rounds("beside a bare route", CONNECTIONS)
    for _ in range(plan.rounds):
        for name, (server, source) in targets.items():
            run = load.run(server.port, source, CONNECTIONS, plan.seconds, server.pids)
            cell.add(name, run)
    bridge.stop()
    plain.stop()
    names = [name for name in targets if name != "bare Flask route"]
    return [cell], [
        Number(f"{name}: share of a bare route", cell.paired(name, "bare Flask route", rate))
        for name in names
    ]


def _token_request(client: str, form: dict[str, str]) -> bytes:
    secret = SANDBOX_CLIENT_SECRETS[client]
    basic = base64.b64encode(f"{quote(client)}:{quote(secret)}".encode()).decode()
    body = urlencode(form).encode()
    head = (
        f"POST /oauth/token HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {basic}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _refreshing(members: list[Member]) -> Source:
    """Each connection goes on with the refresh token that it was given last."""
    current = {n: member.refresh for n, member in enumerate(members)}

    def of(n: int) -> Next:
        def following(last: bytes) -> bytes:
            if last:
                current[n] = json.loads(last)["refresh_token"]
            form = {"grant_type": "refresh_token", "refresh_token": current[n]}
            return _token_request("site", form)

        return following

    return of
