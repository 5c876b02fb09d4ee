"""Starts parts by name and says what a client needs to know of them."""

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sandbox.kit.ca import make_ca
from sandbox.kit.clock import Clock
from sandbox.kit.part import Kit, Part
from sandbox.kit.server import serve


@contextlib.contextmanager
def running(
    ports: Mapping[str, int],
    state_dir: Path,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[dict[str, dict[str, Any]]]:
    """Serve the named parts (name -> port, 0 = free), each with its options; yields what each
    prints when ready."""
    kit = Kit(Clock(), make_ca(state_dir), state_dir)
    with contextlib.ExitStack() as stack:
        ready: dict[str, dict[str, Any]] = {}
        for name, port in ports.items():
            make: Callable[..., Part] = importlib.import_module(f"sandbox.{name}").make
            part = make(kit, **(options or {}).get(name, {}))
            tls = kit.ca.issue("127.0.0.1", "localhost") if part.tls else None
            server = serve(part.app, port, tls, kit.clock.now)
            stack.callback(server.close)
            for beside in part.beside:
                other = serve(beside.app, now=kit.clock.now)
                stack.callback(other.close)
                beside.started(other.url)
            ready[name] = part.ready(server.url)
        yield ready
