"""A small client of Sugar's REST API for the tests. Not for: judging; others' clients do that."""

from typing import Any

import requests


def control(ready: dict[str, Any], name: str, document: Any = None) -> Any:
    """One change through the control plane."""
    url = f"{ready['url']}/_sandbox/{name}"
    with requests.Session() as session:
        session.trust_env = False
        sent = {} if document is None else document
        answer = session.post(url, json=sent, timeout=10, verify=ready["ca_file"])
    answer.raise_for_status()
    return answer.json()


class Sugar:
    """One user's session on one platform; `call` answers whatever the status is."""

    def __init__(self, ready: dict[str, Any], user: str = "", platform: str = "", **own: Any):
        self.ready = ready
        self.root = ready["url"]
        who = ready[user] if user else ready
        self.login = {
            "grant_type": "password",
            "client_id": "sugar",
            "client_secret": "",
            "username": who["username"],
            "password": who["password"],
            "platform": platform or ready["platform"],
        } | own
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = ready["ca_file"]
        self.set = self.token().json()
        self.http.headers["OAuth-Token"] = self.set.get("access_token", "")

    def token(self, **changes: Any) -> requests.Response:
        """A token request: the login with changes."""
        url = f"{self.root}/rest/v11_24/oauth2/token"
        return self.http.post(url, json=self.login | changes, timeout=10)

    def refresh(self, token: str, **changes: Any) -> requests.Response:
        """A refresh as clients without `platform` send it."""
        sent = {"grant_type": "refresh_token", "refresh_token": token}
        sent |= {"client_id": "sugar", "client_secret": ""}
        url = f"{self.root}/rest/v11_24/oauth2/token"
        return self.http.post(url, json=sent | changes, timeout=10)

    def call(self, method: str, path: str, json: Any = None, **given: Any) -> requests.Response:
        """One request below /rest/v11_24/, or below /rest where it begins with a slash."""
        below = f"/rest{path}" if path.startswith("/") else f"/rest/v11_24/{path}"
        given = {"timeout": 10, "allow_redirects": False} | given
        return self.http.request(method, self.root + below, json=json, **given)

    def make(self, module: str = "Contacts", **fields: Any) -> str:
        """The id of a new record."""
        return str(self.call("POST", module, fields).json()["id"])

    def read(self, id: str, *names: str, module: str = "Contacts") -> list[Any]:
        """Some fields of a record."""
        row = self.call("GET", f"{module}/{id}", params={"fields": ",".join(names)}).json()
        return [row[name] for name in names]

    def found(self, *parts: Any, module: str = "Contacts", **more: Any) -> list[str]:
        """The ids that meet a filter, by POST; in order."""
        body = {"filter": list(parts), "max_num": 100, "fields": "id"} | more
        return [row["id"] for row in self.call("POST", f"{module}/filter", body).json()["records"]]

    def control(self, name: str, document: Any = None) -> Any:
        """One change through the control plane."""
        return control(self.ready, name, document)

    def state(self) -> dict[str, Any]:
        """What the sandbox holds."""
        return dict(self.http.get(f"{self.root}/_sandbox/state", timeout=10).json())


def label(answer: requests.Response) -> tuple[int, str]:
    """Status and label of a refusal."""
    return answer.status_code, answer.json()["error"]
