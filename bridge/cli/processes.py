"""Child processes that never outlive us. Not for: supervising anything in production."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

_PR_SET_PDEATHSIG = 1


def _end_with_parent() -> None:
    """Linux: the child gets SIGTERM when we die, however we die (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """One process in a group of its own, so that Ctrl-C reaches only us and we end it in order."""

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path
    ) -> None:
        """Starts it. stdout and stderr go to `log`."""
        self.name = name
        self.log = log
        self._log: BinaryIO = log.open("ab")
        self.process = subprocess.Popen(  # noqa: S603 - our own modules, no shell
            list(command),
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=self._out(),
            stderr=self._log,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )

    def _out(self) -> Any:
        return self._log

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        return self.process.pid

    def running(self) -> bool:
        """False once it has ended."""
        return self.process.poll() is None

    def last_words(self, lines: int = 5) -> str:
        """The end of its log, which goes when we do."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def signal(self, number: int) -> None:
        """To the whole group."""
        if self.running():
            os.killpg(self.process.pid, number)

    def stop(self, patience: float = 10.0) -> None:
        """SIGTERM, and SIGKILL after `patience` seconds; the group too."""
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.process.wait(5)
        _end_group(self.process.pid)
        self._log.close()


class Announcing(Child):
    """A child that prints one line of JSON on stdout when it is ready."""

    def _out(self) -> Any:
        return subprocess.PIPE

    def ready(self) -> dict[str, Any]:
        """Waits for the line. Raises RuntimeError where the process ends before."""
        assert self.process.stdout is not None  # noqa: S101 - it was asked for
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended before it was ready: {self.last_words()}")
        return dict(json.loads(line))


def _end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def wait_until(check: Callable[[], bool], seconds: float, what: str, *children: Child) -> None:
    """Polls `check`. Raises RuntimeError naming `what`, at once where a child has ended."""
    deadline = time.monotonic() + seconds
    while not check():
        for child in children:
            if not child.running():
                raise RuntimeError(f"{child.name} ended: {child.last_words()}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} wasn't ready after {seconds:.0f} s")
        time.sleep(0.05)
