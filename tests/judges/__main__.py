"""`python -m tests.judges`: start the line, make a member, and let Node's clients judge.

Not for: what is judged (`*.test.mjs`). Nothing of it is in `make test`, which needs only Python.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from bridge.cli.journey import REDIRECT, Journey
from bridge.cli.line import Line
from bridge.cli.published import SANDBOX_CLIENT_SECRETS

HERE = Path(__file__).parent
ROOMY = {
    "BRIDGE_LIMITS__SIGN_INS_PER_IDENTIFIER": "1000",
    "BRIDGE_LIMITS__SIGN_INS_PER_NETWORK": "100000",
}


def main() -> int:
    """The judges' exit status; 2 where Node or npm is missing."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        sys.stderr.write("The judges are Node programs: install Node 20 or newer, with npm.\n")
        return 2
    if _outdated():
        subprocess.run([npm, "ci", "--no-fund", "--no-audit"], cwd=HERE, check=True)
    with Line(overrides=ROOMY) as line:
        state = json.dumps(_state(line))
        judges = [str(path) for path in sorted(HERE.glob("*.test.mjs"))]
        env = {**os.environ, "BRIDGE_STATE": state, "NO_PROXY": "127.0.0.1"}
        env["BRIDGE_PYTHON"] = sys.executable
        env["NODE_EXTRA_CA_CERTS"] = line.sandbox["dynamics"]["ca_file"]
        return subprocess.run([node, "--test", *judges, *sys.argv[1:]], env=env).returncode


def _outdated() -> bool:
    """Is what npm installed missing, or older than the list of it?"""
    installed = HERE / "node_modules" / ".package-lock.json"
    wanted = (HERE / "package-lock.json").stat().st_mtime
    return not installed.is_file() or installed.stat().st_mtime < wanted


def _state(line: Line) -> dict[str, Any]:
    """What the judges need: the shape of the demo's STATE file, as far as they read it."""
    journey = Journey(line)
    journey.phone = journey.desktop()
    journey.phone.get(f"{line.url}/register")
    journey.prove_mobile()
    journey.give_details()
    member = journey.member
    clients: dict[str, dict[str, Any]] = {
        name: {"client_id": name, "client_secret": secret}
        for name, secret in SANDBOX_CLIENT_SECRETS.items()
    }
    clients["portal"] = {"client_id": "portal", "redirect_uris": [REDIRECT]}
    clients["site"]["redirect_uris"] = ["http://127.0.0.1:8765/site/callback"]
    return {
        "issuer": line.url,
        "clients": clients,
        "dataverse": line.sandbox["dynamics"],
        "member": {"sign_in_name": member.mobile, "password": member.password},
    }


if __name__ == "__main__":
    sys.exit(main())
