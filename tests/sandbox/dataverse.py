"""A thin client of the Dataverse sandbox for its tests: requests, a token, the control plane."""

import uuid
from typing import Any

import requests

BASE = "/api/data/v9.2/"


class Crm:
    """One application user's view of the sandbox, over TLS checked by its own CA."""

    def __init__(self, ready: dict[str, Any], user: str = "writer") -> None:
        self.ready = ready
        self.root = ready["url"]
        self.base = self.root + BASE
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = ready["ca_file"]
        self.http.headers["Authorization"] = f"Bearer {self.token(user)}"

    def token(self, user: str) -> str:
        """A token by client secret."""
        answer = self.ask_token(**self.ready[user])
        return answer.json()["access_token"]

    def ask_token(self, tenant: str | None = None, **form: str) -> requests.Response:
        """A raw token request with sensible defaults."""
        form = {
            "grant_type": "client_credentials",
            "scope": f"{self.root}/.default",
        } | form
        tenant = tenant or self.ready["tenant"]
        return self.http.post(f"{self.root}/{tenant}/oauth2/v2.0/token", data=form)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """One request; header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = path if path.startswith("https:") else self.base + path
        return self.http.request(method, url, json=body, headers=named, timeout=20)

    def get(self, path: str, **headers: str) -> requests.Response:
        """GET below the Web API's root."""
        return self.call("GET", path, **headers)

    def rows(self, path: str, **headers: str) -> list[dict[str, Any]]:
        """The rows of a set, which must be read without trouble."""
        answer = self.get(path, **headers)
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]

    def make(self, name: str = "contacts", /, **columns: Any) -> str:
        """A new record; gives its id."""
        answer = self.call("POST", name, columns)
        assert answer.status_code == 204, answer.text
        return answer.headers["OData-EntityId"].partition("(")[2].rstrip(")")

    def control(self, name: str, body: Any = None, method: str = "POST") -> Any:
        """A call to the control plane."""
        answer = self.http.request(method, f"{self.root}/_sandbox/{name}", json=body, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def batch(self, body: str, **headers: str) -> requests.Response:
        """A $batch with boundary `b`; the text's line feeds become CRLF unless it has some."""
        data = body if "\r" in body else body.replace("\n", "\r\n")
        named = {"Content-Type": "multipart/mixed; boundary=b"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(f"{self.base}$batch", data=data.encode(), headers=named, timeout=20)


def problem(answer: requests.Response) -> tuple[int, str]:
    """Status and code of a refusal, which must have Dataverse's shape."""
    error = answer.json()["error"]
    assert error["message"]
    return answer.status_code, error["code"]


def new_id() -> str:
    """A fresh record id."""
    return str(uuid.uuid4())
