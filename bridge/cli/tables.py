"""Tables for people, in a terminal. Not for: what stands in them."""

from collections.abc import Iterable, Iterator

Row = tuple[str, ...]


def table(head: Row, rows: Iterable[Row]) -> Iterator[str]:
    """Columns of even width."""
    body = list(rows)
    widths = [max(len(row[i]) for row in (head, *body)) for i in range(len(head))]
    for row in (head, tuple("-" * width for width in widths), *body):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
