"""A visitor of web pages without a browser: cookies, links, forms. Not for: anything with scripts.

The demo's walk and the flow tests go through the hosted pages with it, as a member would.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests


@dataclass
class Form:
    """One form of a page: where it goes and what it would send."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    optional: set[str] = field(default_factory=set)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.text: list[str] = []
        self.links: list[str] = []
        self._select: str | None = None
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in ("script", "style"):
            self._silent += 1
        elif self.forms:
            self._field(tag, given, {name for name, _ in attrs})

    def _field(self, tag: str, given: dict[str, str], names: set[str]) -> None:
        form, name = self.forms[-1], given.get("name", "")
        if tag == "select":
            self._select = name
        elif (
            tag == "option"
            and self._select
            and ("selected" in names or self._select not in form.fields)
        ):
            form.fields[self._select] = given.get("value", "")
        elif name and given.get("type") in ("checkbox", "radio"):
            form.optional.add(name)
            if "checked" in names:
                form.fields[name] = given.get("value", "on")
        elif tag in ("input", "textarea") and name:
            form.fields[name] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = None
        elif tag in ("script", "style"):
            self._silent -= 1

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.text.append(" ".join(data.split()))


class Visitor:
    """Keeps cookies, follows redirects, fills in forms. `page` is the last answer."""

    def __init__(self, user_agent: str, language: str = "zh-CN", ca_file: str = "") -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update({"User-Agent": user_agent, "Accept-Language": language})
        self.session.verify = ca_file or True
        self.page: requests.Response
        self.seen: list[requests.Response] = []

    def get(self, url: str, **kwargs: Any) -> requests.Response:
        """Open `url`, following redirects (each answer is kept in `seen`)."""
        return self._keep(self.session.get(url, timeout=20, **kwargs))

    def post(self, url: str, data: dict[str, str], **kwargs: Any) -> requests.Response:
        """Post a form, following redirects."""
        return self._keep(self.session.post(url, data=data, timeout=20, **kwargs))

    def submit(self, *, stop_at: str = "", **fields: str) -> requests.Response:
        """Fill in the form that has these fields, and send it. Raises KeyError where none has.

        `stop_at`: redirects are followed only until a Location that starts with it, which isn't
        opened (an OAuth client's redirect URI, say); the answer that carries it is returned.
        """
        form = self._form(fields)
        data = {**form.fields, **fields}
        url = urljoin(self.page.url, form.action)
        send = self.session.post if form.method == "post" else self.session.get
        key = "data" if form.method == "post" else "params"
        answer = send(url, timeout=20, allow_redirects=False, **{key: data})  # type: ignore[arg-type]
        return self.follow(answer, stop_at)

    def _form(self, fields: Mapping[str, str]) -> Form:
        """The form that has all of `fields`. Raises KeyError where none has."""
        for form in self.forms():
            if all(name in form.fields or name in form.optional for name in fields):
                return form
        raise KeyError(", ".join(fields))

    def follow(self, answer: requests.Response, stop_at: str = "") -> requests.Response:
        """Go where redirects lead, up to ten of them."""
        for _ in range(10):
            self._keep(answer)
            if not answer.is_redirect:
                return answer
            target = urljoin(answer.url, answer.headers["Location"])
            if stop_at and target.startswith(stop_at):
                return answer
            answer = self.session.get(target, timeout=20, allow_redirects=False)
        raise RuntimeError("too many redirects")

    def forms(self) -> list[Form]:
        """The forms of the page."""
        return self._read().forms

    def links(self) -> list[str]:
        """Absolute links of the page."""
        return [urljoin(self.page.url, link) for link in self._read().links]

    def text(self) -> str:
        """What the page says."""
        return " ".join(self._read().text)

    def path(self) -> str:
        """The path of the page."""
        return urlsplit(self.page.url).path

    def _read(self) -> _Reader:
        reader = _Reader()
        reader.feed(self.page.text)
        return reader

    def _keep(self, answer: requests.Response) -> requests.Response:
        self.page = answer
        self.seen += [*answer.history, answer]
        return answer
