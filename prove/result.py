"""What a proof found, and the page that tells it. Not for: proving."""

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "proof.md"
_BEGIN, _END = "<!-- results: begin -->", "<!-- results: end -->"


@dataclass(frozen=True)
class Result:
    """`promise`: one sentence. `seen`: the figures. `seed`: of whatever was left to chance."""

    promise: str
    seen: str
    holds: bool
    seed: int


def table(results: list[tuple[Result, float]]) -> str:
    """Markdown; each with the seconds that it took."""
    lines = ["| promise | seen | holds | seed | s |", "|---|---|---|---|---|"]
    for result, seconds in results:
        word = "yes" if result.holds else "**no**"
        lines.append(
            f"| {result.promise} | {result.seen} | {word} | {result.seed} | {seconds:.0f} |"
        )
    return "\n".join(lines)


def write(results: list[tuple[Result, float]], command: str) -> None:
    """Put this run into the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(_BEGIN)[0], text.split(_END)[1]
    where = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}"
    ran = f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {where}"
    PAGE.write_text(f"{before}{_BEGIN}\n{ran}\n\n{table(results)}\n{_END}{after}", encoding="utf-8")
