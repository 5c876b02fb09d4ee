"""`/v1/capabilities`: what a frontend has to know of this deployment. Not for: anything secret, or
anything of a member."""

from flask import Response

from bridge.api import answers
from bridge.api.call import Call, query


def read(call: Call) -> Response:
    """The CRM's capabilities, the member's fields, and the consents that are asked for."""
    query()
    mapping, shapes = call.parts.mapping, call.shapes
    body = {
        "crm": call.parts.capabilities.as_dict(),
        "member": {"readable": list(shapes.readable), "writable": list(mapping.writable("member"))},
        "consents": [
            {name: each[name] for name in ("purpose", "version", "required", "text")}
            for each in call.parts.settings.consents
        ],
    }
    return answers.json(body)
