"""The Dataverse sandbox's control plane, for tests. Not for: what the bridge asks of it."""

from typing import Any

import requests


class Crm:
    """Faults, rows and the log of requests."""

    def __init__(self, ready: dict[str, Any]) -> None:
        """`ready`: the JSON object that the sandbox printed."""
        self._url, self._ca = f"{ready['url']}/_sandbox", ready["ca_file"]

    def _call(self, method: str, path: str, **kwargs: Any) -> Any:
        answer = requests.request(
            method, f"{self._url}/{path}", verify=self._ca, timeout=20, **kwargs
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fault(self, kind: str, times: int = 1, method: str = "", **more: Any) -> None:
        """The next `times` matching Web API calls meet `kind`."""
        match = {"path_prefix": "/api/data/"} | ({"method": method} if method else {})
        self._call("POST", "faults", json={"kind": kind, "times": times, "match": match, **more})

    def calm(self) -> None:
        """No faults, no latency."""
        self._call("DELETE", "faults")
        self._call("POST", "latency", json={"read": 0, "write": 0})

    def rows(self, table: str) -> list[dict[str, Any]]:
        """A table as it is."""
        return list(self._call("GET", "state")["tables"][table])

    def contact(self, mobile: str) -> dict[str, Any]:
        """The one contact with this mobile."""
        found = [row for row in self.rows("contacts") if row.get("mobilephone") == mobile]
        assert len(found) == 1
        return found[0]

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """What was asked, in order."""
        return list(self._call("GET", f"requests?since={since}")["requests"])

    def last(self) -> int:
        """The number of the newest request."""
        return max((each["n"] for each in self.requests()), default=0)

    def users(self, **users: Any) -> None:
        """Change an application user's rights."""
        self._call("POST", "users", json=users)
