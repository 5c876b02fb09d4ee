"""Reading a set: filter, order, pages, counts. Not for single records."""

from typing import Any

from sandbox.dynamics import errors, paging, url
from sandbox.dynamics.message import Reply, Request, json_reply
from sandbox.dynamics.paging import MOST_ROWS
from sandbox.dynamics.query import Options, Parser
from sandbox.dynamics.render import Renderer
from sandbox.dynamics.schema import Table
from sandbox.dynamics.store import Row

LIMIT_EXCEEDED = "Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"


def count(request: Request, table: Table, rows: list[Row], parser: Parser) -> Reply:
    """`/set/$count`: a number as text, never above 5,000."""
    options = parser.options(table, url.query_pairs(request.query))
    if options.select is not None or options.order or options.expands or options.top is not None:
        raise errors.bad_query("$count takes only $filter.")
    found = [row for row in rows if options.test is None or options.test(row)]
    text = str(min(len(found), MOST_ROWS))
    return Reply(200, {"Content-Type": "text/plain"}, text.encode())


def listed(
    request: Request, table: Table, rows: list[Row], options: Options, renderer: Renderer
) -> Reply:
    """One page of the rows asked for, with a link to the next where there is one."""
    prefer = request.prefer
    if options.test is not None:
        rows = [row for row in rows if options.test(row)]
    total = len(rows)
    rows = paging.ordered(options.order, rows)
    if options.top is not None and prefer.page_size is None:  # $top gives way to maxpagesize
        rows = rows[: options.top]
    page = 1
    if options.skip_token is not None:
        page, after = paging.resume(options.order, options.skip_token)
        rows = [
            row
            for row in rows
            if paging.sort_key(options.order, paging.sort_values(options.order, row)) > after
        ]
    size = prefer.page_size or MOST_ROWS
    document: dict[str, Any] = {"@odata.context": renderer.context(table, options, single=False)}
    if options.count:
        document |= {"@odata.count": min(total, MOST_ROWS)}
        if prefer.wants(LIMIT_EXCEEDED):
            document |= {f"@{LIMIT_EXCEEDED}": total > MOST_ROWS}
    document |= {"value": [renderer.row(row, options) for row in rows[:size]]}
    if len(rows) > size:
        token = paging.token(options.order, page + 1, rows[size - 1])
        document |= {"@odata.nextLink": _next(request, token)}
    return json_reply(200, document)


def _next(request: Request, token: str) -> str:
    kept = [part for part in request.query.split("&") if part]
    kept = [part for part in kept if not part.startswith(("$skiptoken=", "%24skiptoken="))]
    return f"{request.base}{request.path}?{'&'.join([*kept, f'$skiptoken={token}'])}"
