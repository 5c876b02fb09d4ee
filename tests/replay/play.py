"""The trace on a line: recorded once, played on any CRM, and compared.

Not for: what is in it (`frontend.py`, `trace.json`).
"""

import json
import time
from typing import Any

import requests

from adapters import registry
from bridge.cli.journey import Journey, Member
from bridge.cli.line import ROOT, Line
from mappings.loader import load as load_mapping
from tests.replay.frontend import MOBILE, PASSWORD, Session
from tests.replay.trace import SENT, Known, Step

_PATIENCE = 15.0


class Player:
    """One member's session on one line. `journey`: the member."""

    def __init__(self, line: Line) -> None:
        self.journey = Journey(line, Member(mobile=MOBILE, password=PASSWORD))
        mapping = load_mapping(ROOT / "mappings" / f"{line.adapter}.yaml")
        self._not_held = mapping.kinds["member"].not_held
        self._can = registry.adapter_class(line.adapter).capabilities.as_dict()
        self._url, self._known, self._steps = line.url, Known(line.url), list[Step]()

    # -- recording --

    def record(self) -> list[Step]:
        """What the frontend sends, and what it is told."""
        Session(self._recorded, self).run()
        return self._steps

    def _recorded(self, name: str, method: str, path: str, **more: Any) -> requests.Response:
        headers = {k: v for k, v in more.pop("headers").items() if k in SENT}
        sent = self._known.written({"path": path, "headers": headers, **more})
        step = Step(name, method, **sent)
        answer, step.answer = self._done(step)
        self._steps.append(step)
        return answer

    def code(self) -> str:
        """See `frontend.Browser`."""
        return str(self._outside(Step("the code that came", "OUTBOX", MOBILE))["code"])

    def sign_in(self) -> dict[str, Any]:
        """See `frontend.Browser`."""
        return self._outside(Step("sign in", "BROWSER", "/oauth/authorize"))

    def _outside(self, step: Step) -> dict[str, Any]:
        self._steps.append(step)
        return self._happens(step)

    # -- playing --

    def play(self, steps: list[Step]) -> list[str]:
        """A sentence for each answer that isn't the recorded one."""
        return [told for step in steps if (told := self._played(step))]

    def _played(self, step: Step) -> str:
        if step.method in ("OUTBOX", "BROWSER"):
            self._happens(step)
            return ""
        answer, told = self._done(step)
        same = self._held(told) == self._held(step.answer)
        if same or (self._lacks(step) and _is_refusal(answer)):
            return ""
        return f"{step.name}: {_shown(told)} instead of {_shown(step.answer)}"

    def _held(self, value: Any) -> Any:
        """Without the fields that this CRM's mapping names under `not_held`."""
        if isinstance(value, dict):
            return {k: self._held(v) for k, v in value.items() if k not in self._not_held}
        if isinstance(value, list):
            return [
                self._held(v) for v in value if not isinstance(v, str) or v not in self._not_held
            ]
        return value

    def _lacks(self, step: Step) -> bool:
        return bool(step.needs) and self._can[step.needs] in (False, "no")

    # -- what both share --

    def _happens(self, step: Step) -> dict[str, Any]:
        if step.method == "OUTBOX":
            brought = {"code": self.journey.code(step.path, time.time())}
        else:
            brought = self.journey.sign_in()
        for name in ("code", "access_token"):
            if name in brought:
                self._known.put(f"{step.name}/{name}", brought[name])
        return brought

    def _done(self, step: Step) -> tuple[requests.Response, dict[str, Any]]:
        until = time.monotonic() + _PATIENCE
        answer = self._sent(step)
        while step.until and answer.status_code == 503 and time.monotonic() < until:
            time.sleep(0.2)
            answer = self._sent(step)
        self._known.learn(step.name, answer)
        return answer, self._known.answer(answer)

    def _sent(self, step: Step) -> requests.Response:
        filled = self._known.filled({"path": step.path, "headers": step.headers, "json": step.json})
        return self.journey.http.request(
            step.method,
            self._url + filled["path"],
            headers=filled["headers"],
            json=filled["json"],
            data=step.form,
            timeout=20,
        )


def _is_refusal(answer: requests.Response) -> bool:
    return answer.status_code == 422 and answer.json()["type"].endswith("/refused")


def _shown(answer: Any) -> str:
    return json.dumps(answer, ensure_ascii=False, sort_keys=True)
