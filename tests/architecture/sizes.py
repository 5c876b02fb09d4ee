"""Size rules: no function over 60 lines, no file over 400. Not for: style (ruff)."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("bridge", "adapters", "mappings", "config", "sandbox")
FUNCTION, FILE = 60, 400


def too_large(root: Path, packages: tuple[str, ...] = PACKAGES) -> Iterator[str]:
    """One line per rule broken."""
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            text = path.read_text()
            lines = text.count("\n")
            if lines > FILE:
                yield f"{path.relative_to(root)}: {lines} lines (at most {FILE})"
            yield from _long_functions(path.relative_to(root), ast.parse(text))


def _long_functions(path: Path, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > FUNCTION:
                yield f"{path}:{node.lineno} {node.name}: {size} lines (at most {FUNCTION})"


if __name__ == "__main__":
    broken = list(too_large(ROOT))
    sys.stdout.write("".join(f"{line}\n" for line in broken))
    sys.exit(bool(broken))
