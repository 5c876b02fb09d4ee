"""Figures as a table, as JSON, as a plot, and as the published page. Not for: measuring."""

import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl

from benchmarks.figures import Figures, Number, Row

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
PICTURE = ROOT / "docs" / "img" / "bench.png"
_BEGIN, _END = "<!-- figures: begin -->", "<!-- figures: end -->"
_COLOURS = {"direct": "#999999", "nginx": "#7aa6c2", "plain": "#d98c5f", "bridge": "#2f6b4f"}


def show(figures: Figures) -> str:
    """Both tables, in Markdown."""
    return f"{_numbers(figures.numbers)}\n\n{_rows(figures.rows)}"


def _numbers(numbers: list[Number]) -> str:
    lines = ["| number | measured | to reach | |", "|---|---|---|---|"]
    for each in numbers:
        verdict = {True: "reached", False: "**missed**", None: ""}[each.holds]
        end = f", {each.in_the_end:g} in the end" if each.in_the_end is not None else ""
        value = f"{each.value:+.2f} ms" if each.unit == "ms" else f"{each.value:.2f} {each.unit}"
        lines.append(f"| {each.name} | {value} | {each.goal}{end} | {verdict} |")
    return "\n".join(lines)


def _rows(rows: list[Row]) -> str:
    lines = [
        "| what | target | connections | answers/s | p50 ms | p99 ms | CPU µs | failed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.what} | {r.target} | {r.connections} | {r.rate:.0f} | {r.p50_ms:.1f} "
        f"| {r.p99_ms:.1f} | {r.cpu_us:.0f} | {r.failed} |"
        for r in rows
    ]
    return "\n".join(lines)


def machine() -> dict[str, str]:
    """Where it ran."""
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_before": f"{os.getloadavg()[0]:.1f}",
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
    }


def save(figures: Figures, about: dict[str, str]) -> Path:
    """`latest.json` and `latest.png`; gives the plot's path."""
    RESULTS.mkdir(exist_ok=True)
    content = json.dumps({"about": about, **figures.as_dict()}, indent=1, ensure_ascii=False)
    (RESULTS / "latest.json").write_text(content + "\n")
    path = RESULTS / "latest.png"
    draw(figures, path)
    return path


def publish(figures: Figures, about: dict[str, str]) -> None:
    """Put this run into the documentation."""
    page = PAGE.read_text()
    before, after = page.split(_BEGIN)[0], page.split(_END)[1]
    ran = ", ".join(f"{name} {value}" for name, value in about.items() if name != "command")
    PAGE.write_text(f"{before}{_BEGIN}\n{ran}\n\n{show(figures)}\n{_END}{after}")
    PICTURE.parent.mkdir(exist_ok=True)
    draw(figures, PICTURE)


def draw(figures: Figures, path: Path) -> None:
    """Reads by connections at 20 ms, and each number beside what it is to reach."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), width_ratios=(1, 1.1))
    _draw_reads(left, [row for row in figures.rows if row.what == "read, CRM 20 ms"])
    _draw_goals(right, [number for number in figures.numbers if number.holds is not None])
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_reads(axes: Axes, rows: list[Row]) -> None:
    for target, colour in _COLOURS.items():
        mine = sorted((r.connections, r.rate) for r in rows if r.target == target)
        if mine:
            axes.plot(*zip(*mine, strict=True), marker="o", color=colour, label=target)
    axes.set(xscale="log", yscale="log", xlabel="connections", ylabel="reads a second")
    axes.set_title("GET /v1/me, CRM 20 ms", fontsize=10)
    if rows:
        axes.legend(fontsize=8)


def _draw_goals(axes: Axes, numbers: list[Number]) -> None:
    """Over 1 is better than asked for, whichever way the number counts."""
    for at, each in enumerate(reversed(numbers)):
        if each.at_least is not None:
            share = each.value / each.at_least
        else:
            share = (each.at_most or 0.0) / max(each.value, 1e-9)
        axes.barh(at, share, color=_COLOURS["bridge"] if each.holds else _COLOURS["plain"])
        axes.text(share + 0.03, at, f"{each.value:.2f}", va="center", fontsize=8)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_yticks(range(len(numbers)), [each.name for each in reversed(numbers)], fontsize=8)
    axes.set_xlabel("times what is to be reached (1: just reached)")
    axes.margins(x=0.12)
