"""Hosted pages: sign in, join, a new password, and what to say when something is wrong. Server
rendered, in Simplified Chinese and English; every page works without JavaScript.

Not for: deciding anything about members (`bridge/services`), the OAuth protocol (`bridge/oauth`),
or JSON.
"""

from flask import Blueprint

from bridge.pages import device, joining, resetting, signing_in, trouble
from bridge.pages.frame import finish
from bridge.parts import WebParts

__all__ = ["blueprint", "trouble"]


def blueprint(_: WebParts) -> Blueprint:
    """The pages, to be registered at the root. Their errors are pages too."""
    pages = Blueprint(
        "pages",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/pages/static",
    )
    signing_in.add_to(pages)
    joining.add_to(pages)
    device.add_to(pages)
    resetting.add_to(pages)
    trouble.add_to(pages)
    pages.after_request(finish)
    return pages
