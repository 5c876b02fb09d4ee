"""The literals of a PHP file: `$name['key'] = …;` of strings, whole numbers, true, false, null and
arrays. Not for: running PHP. Whatever else stands in a file is left alone.
"""

import re
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<number>-?\d+)|(?P<arrow>=>)
    |(?P<open>array\s*\(|\[)|(?P<close>[)\]])|(?P<comma>,)|(?P<word>true|false|null)|(?P<end>;))""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_TARGET = re.compile(r"^\s*\$(\w+)((?:\['[^']*'\])*)\s*=(?!=|>)", re.MULTILINE)
_WORDS = {"true": True, "false": False, "null": None}


class NotPhp(ValueError):
    """An assignment of something that is no literal."""


def assignments(text: str) -> dict[str, Any]:
    """Variable -> value; `$a['b']['c'] = 1` gives {"a": {"b": {"c": 1}}}. An array without keys is
    a list. Raises NotPhp."""
    found: dict[str, Any] = {}
    for match in _TARGET.finditer(text):
        path = [match[1], *re.findall(r"\['([^']*)'\]", match[2])]
        reader = _Reader(text, match.end())
        value = reader.value()
        reader.expect("end")
        inner = found
        for step in path[:-1]:
            inner = inner.setdefault(step, {})
        inner[path[-1]] = value
    return found


class _Reader:
    """Reads one value from a place on."""

    def __init__(self, text: str, place: int) -> None:
        self._text, self._place = text, place
        self._kind, self._token = "", ""
        self._step()

    def value(self) -> Any:
        """A literal; the reader stands behind it then."""
        kind, token = self._kind, self._token
        if kind == "open":
            return self._array()
        if kind not in ("text", "number", "word"):
            raise NotPhp(f"no literal at character {self._place}")
        self._step()
        if kind == "text":
            return re.sub(r"\\(['\\])", r"\1", token[1:-1])
        return int(token) if kind == "number" else _WORDS[token.lower()]

    def expect(self, kind: str) -> None:
        """The token at hand is one of this kind."""
        if self._kind != kind:
            raise NotPhp(f"no {kind} at character {self._place}")

    def _array(self) -> Any:
        keys: list[Any] = []
        values: list[Any] = []
        self._step()
        while self._kind != "close":
            first = self.value()
            if self._kind == "arrow":
                self._step()
                keys.append(first)
                first = self.value()
            values.append(first)
            if self._kind != "close":
                self.expect("comma")
                self._step()
        self._step()
        if keys and len(keys) != len(values):
            raise NotPhp("an array with some keys")
        return dict(zip(keys, values, strict=True)) if keys else values

    def _step(self) -> None:
        if self._kind == "end":
            return
        match = _TOKEN.match(self._text, self._place)
        if match is None or match.lastgroup is None:
            raise NotPhp(f"no literal at character {self._place}")
        self._kind, self._token = match.lastgroup, match[match.lastgroup]
        self._place = match.end()
