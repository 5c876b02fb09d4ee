"""What V8 answers where it refuses: 400 for nearly everything, never 404 or 409.

Every text is one that a real 7.14.6 server sent. What was never recorded is `not_played`.
"""

import json
from typing import Any

API = "application/vnd.api+json"
JSON = "application/json"


class SuiteError(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, document: Any, content_type: str = JSON) -> None:
        super().__init__(status)
        self.status = status
        self.document = document
        self.content_type = content_type


def refused(detail: str, content_type: str = JSON) -> SuiteError:
    """V8's one shape: an object under `errors`, not JSON:API's list."""
    errors = {"status": 400, "title": None, "detail": detail}
    return SuiteError(400, {"errors": errors}, content_type)


def access_denied() -> SuiteError:
    """No role of the user's allows it. Read in the source of 7.14.6 (lib/Exception and
    Api/V8/Controller/ModuleController.php), not recorded."""
    return refused("[SuiteCRM] [AccessDeniedException] ", API)


def not_found(module: str, id: str) -> SuiteError:
    """There is no such record, or it was deleted."""
    return refused(f"{module} module with id {id} is not found", API)


def exists(module: str, id: str) -> SuiteError:
    """The id is taken, by a deleted record too."""
    return refused(f"Bean {module} with id {id} is already exist", API)


def invalid_option(name: str, shown: str) -> SuiteError:
    """The parameter's value isn't one of its type."""
    return refused(f'The option "{name}" with value {shown} is invalid.')


def denied(hint: str) -> SuiteError:
    """No good access token."""
    text = "The resource owner or authorization server denied the request."
    document = {"error": "access_denied", "error_description": text, "hint": hint, "message": text}
    return SuiteError(401, document)


def token_trouble(text: str) -> SuiteError:
    """What the token endpoint makes of an exception: 500, and the text with what was sent in it."""
    return SuiteError(500, {"error": "unknown_error", "error_description": text, "message": text})


def not_played(what: str) -> SuiteError:
    """No recording says what a real server does here."""
    errors = {"status": 501, "title": None, "detail": f"The sandbox does not play this: {what}."}
    return SuiteError(501, {"errors": errors})


def error_body(status: int, code: str | None, message: str) -> tuple[str, bytes]:
    """The body of a fault set through the control plane."""
    errors = {"status": status, "title": None, "detail": code or message}
    return JSON, json.dumps({"errors": errors}).encode()
