"""A deployment's variables without a line: two Redis roles, keys, and one CRM of the sandbox.

For commands that need no process of ours to run.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from bridge import keys
from bridge.cli.embedded import Embedded
from bridge.cli.line import ROOT
from bridge.keys import Role


class LoneWorker:
    """`ready`: what the sandbox printed of the CRM; `environ`: of a worker pointed at it."""

    def __init__(self, crm: str, directory: Path, ready: dict[str, Any], redis: Embedded) -> None:
        self.ready = ready
        self._crm, self._directory, self._redis = crm, directory, redis
        keys.make(directory / "keys")
        self.environ = self.environ_of("worker")

    def environ_of(self, role: Role) -> dict[str, str]:
        """Of a process of this role."""
        user = self.ready["reader" if role == "web" else "writer"]
        given = {f"OPTIONS__{name}": value for name, value in self.ready["options"].items()}
        given |= {f"CREDENTIAL__{name}": value for name, value in user.items()}
        return {
            "BRIDGE_ENVIRONMENT": "sandbox",
            "BRIDGE_ISSUER": "http://127.0.0.1:1",
            "BRIDGE_WECHAT__ENABLED": "false",
            "BRIDGE_REDIS__TOKENS_URL": self._redis.url("tokens", role),
            "BRIDGE_REDIS__QUEUE_URL": self._redis.url("queue", role),
            "BRIDGE_KEYS__DIRECTORY": str(self._directory / "keys" / role),
            "BRIDGE_CRM__ADAPTER": self._crm,
            "BRIDGE_CRM__MAPPING": f"mappings/{self._crm}.yaml",
            **{f"BRIDGE_CRM__{name.upper()}": str(value) for name, value in given.items()},
        }

    def control(self, method: str, path: str, **given: Any) -> requests.Response:
        """One call to the control plane of the CRM."""
        url = f"{self.ready['url']}/_sandbox/{path}"
        return requests.request(method, url, verify=self.ready["ca_file"], timeout=10, **given)


@contextmanager
def lone_worker(crm: str, directory: Path) -> Iterator[LoneWorker]:
    """Started, and ended after."""
    redis = Embedded(directory / "redis")
    command = [sys.executable, "-m", "sandbox", crm, "--with-parent"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        try:
            yield LoneWorker(crm, directory, json.loads(process.stdout.readline())[crm], redis)
        finally:
            process.communicate()
            redis.stop()
