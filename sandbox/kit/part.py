"""What a part of the sandbox gets (Kit) and what it gives back (Part)."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask

from sandbox.kit.ca import CA
from sandbox.kit.clock import Clock
from sandbox.kit.control import control_blueprint
from sandbox.kit.faults import Faults
from sandbox.kit.gate import Gate
from sandbox.kit.seen import Seen


@dataclasses.dataclass(frozen=True)
class Kit:
    """What the parts of one process share."""

    clock: Clock
    ca: CA
    state_dir: Path


@dataclasses.dataclass(frozen=True)
class Beside:
    """Another server of a part, on a free port: without fault gate or control plane.
    `started(url)` comes before the part's `ready`."""

    app: Flask
    started: Callable[[str], None]


def plain_error(status: int, code: str | None, message: str) -> tuple[str, bytes]:
    """Content type and body of an error, for a part that has no shape of its own."""
    return "application/json", json.dumps({"error": code or message, "status": status}).encode()


def nothing() -> None:
    """The reset of a part that holds nothing."""


def refuse_seed(document: Any) -> None:
    """The seed of a part that takes none."""
    raise ValueError("this part takes no seed")


@dataclasses.dataclass(frozen=True)
class Part:
    """One remote system: a Flask app behind the fault gate, with its control plane on it.

    `ready(url)` is the object printed for it; `reset`, `seed(document)` and `state()` stand
    behind the control plane; `error_body` gives faults the remote's own error shape.
    A seed raises ValueError when it can't take the document.
    """

    name: str
    kit: Kit
    app: Flask
    ready: Callable[[str], dict[str, Any]]
    tls: bool = False
    reset: Callable[[], None] = nothing
    seed: Callable[[Any], Any] = refuse_seed
    state: Callable[[], dict[str, Any]] = dict
    error_body: Callable[[int, str | None, str], tuple[str, bytes]] = plain_error
    beside: tuple[Beside, ...] = ()
    faults: Faults = dataclasses.field(default_factory=Faults)
    seen: Seen = dataclasses.field(default_factory=Seen)

    def __post_init__(self) -> None:
        # An unexpected exception goes to the gate, which names its class and place only.
        self.app.config["PROPAGATE_EXCEPTIONS"] = True
        self.app.register_blueprint(control_blueprint(self))
        self.app.wsgi_app = Gate(self.app.wsgi_app, self)  # type: ignore[method-assign, assignment]
