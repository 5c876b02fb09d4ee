"""How many lines of code an adapter has: those of `adapter.py` and of what it imports in its own
folder, so not those that `provision` alone needs. Not for: files or functions (`sizes.py`)."""

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST = 600
# What a second and a third CRM may cost. Dynamics was there first and is what the contract was
# drawn from: change sets, keys in URLs, MSAL, and the metadata of a platform of its own.
LARGER = {"dynamics": 1100}
_BLANK = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
)


def lines_of(text: str) -> int:
    """Lines of code, without docstrings, comments and blank lines."""
    docs: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            docs |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _BLANK:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - docs)


def too_large(root: Path = ROOT) -> Iterator[str]:
    """One line per adapter that has outgrown its room."""
    for folder in sorted((root / "adapters").iterdir()):
        if not (folder / "adapter.py").exists():
            continue
        lines = sum(lines_of(path.read_text()) for path in _reached(folder))
        most = LARGER.get(folder.name, MOST)
        if lines > most:
            yield f"adapters/{folder.name}: {lines} lines of code (at most {most})"


def _reached(folder: Path) -> set[Path]:
    """`adapter.py` and every file of the folder that it leads to."""
    found, ahead = set(), [folder / "adapter.py"]
    while ahead:
        path = ahead.pop()
        if path not in found and path.exists():
            found.add(path)
            ahead += [folder / f"{name}.py" for name in _imported(path, f"adapters.{folder.name}")]
    return found


def _imported(path: Path, package: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == package:
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
            yield str(node.module).removeprefix(f"{package}.").partition(".")[0]


if __name__ == "__main__":
    broken = list(too_large())
    sys.stdout.write("".join(f"{line}\n" for line in broken))
    sys.exit(bool(broken))
