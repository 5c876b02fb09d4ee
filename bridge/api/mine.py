"""`/v1/me/completeness`, `/v1/me/export` and `/v1/me/consents/history`: what is missing, and what
there is. Not for: the record itself (`me.py`), or changing anything.
"""

from dataclasses import asdict
from datetime import UTC, datetime

from flask import Response

from bridge.api import answers
from bridge.api.call import Call, query
from bridge.api.me import record_of
from bridge.services import consents, export, profiles


def completeness(call: Call) -> Response:
    """Which of the wanted fields are empty."""
    query()
    rules = call.parts.settings.profile
    wanted = dict.fromkeys(name for name in (*rules.required, *rules.wanted))
    found = record_of(call, tuple(wanted))
    return answers.json(asdict(profiles.completeness(rules, found.record)))


def copy(call: Call) -> Response:
    """All that the CRM holds of the member, but secrets and references."""
    query()
    found = record_of(call, export.fields(call.parts.mapping))
    now = datetime.fromtimestamp(int(call.parts.clock()), UTC)
    return answers.json(
        export.copy(call.parts.mapping, found, now),
        Content_Disposition='attachment; filename="member.json"',
    )


def consents_history(call: Call) -> Response:
    """Every answer, the newest first."""
    query()
    found = record_of(call, tuple(f"consents.{name}" for name in consents.FIELDS))
    return answers.json({"consents": consents.history(found.collections["consents"])})
