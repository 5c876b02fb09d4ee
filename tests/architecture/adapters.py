"""How many lines of code an adapter has. Not for: lines of a file or a function (`sizes.py`)."""

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
# What `provision` makes of a mapping is not the adapter.
_NOT_COUNTED = ("package.py", "installer.py")
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
        counted = [path for path in folder.glob("*.py") if path.name not in _NOT_COUNTED]
        lines = sum(lines_of(path.read_text()) for path in counted)
        most = LARGER.get(folder.name, MOST)
        if lines > most:
            yield f"adapters/{folder.name}: {lines} lines of code (at most {most})"


if __name__ == "__main__":
    broken = list(too_large())
    sys.stdout.write("".join(f"{line}\n" for line in broken))
    sys.exit(bool(broken))
