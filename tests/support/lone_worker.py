"""A worker's variables without a line: two Redis roles, keys, and one CRM of the sandbox.

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


class LoneWorker:
    """`ready`: what the sandbox printed of the CRM; `environ`: of a worker pointed at it."""

    def __init__(self, crm: str, directory: Path, ready: dict[str, Any], redis: Embedded) -> None:
        self.ready = ready
        keys.make(directory / "keys")
        given = {f"OPTIONS__{name}": value for name, value in ready["options"].items()}
        given |= {f"CREDENTIAL__{name}": value for name, value in ready["writer"].items()}
        self.environ: dict[str, str] = {
            "BRIDGE_ENVIRONMENT": "sandbox",
            "BRIDGE_ISSUER": "http://127.0.0.1:1",
            "BRIDGE_REDIS__TOKENS_URL": redis.url("tokens", "worker"),
            "BRIDGE_REDIS__QUEUE_URL": redis.url("queue", "worker"),
            "BRIDGE_KEYS__DIRECTORY": str(directory / "keys" / "worker"),
            "BRIDGE_CRM__ADAPTER": crm,
            "BRIDGE_CRM__MAPPING": f"mappings/{crm}.yaml",
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
