"""Hosted pages: sign in, join, a new password, a member's account, and what to say when something
is wrong. Server rendered, in Simplified Chinese and English; every page works without JavaScript.

Not for: deciding anything about members (`bridge/services`), the OAuth protocol (`bridge/oauth`),
or JSON.
"""

from flask import Blueprint

from bridge.pages import account, brand, device, joining, resetting, signing_in, trouble
from bridge.pages.frame import LOOK, branded, finish
from bridge.parts import ROOT, WebParts

__all__ = ["blueprint", "trouble"]


def blueprint(parts: WebParts) -> Blueprint:
    """The pages, to be registered at the root. Their errors are pages too. Raises BrandTrouble."""
    look = brand.load(parts.settings.brand, ROOT)
    pages = Blueprint(
        "pages",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/pages/static",
    )
    pages.record_once(lambda state: state.app.extensions.update({LOOK: look}))
    pages.add_url_rule("/pages/brand/<name>", "branded", branded)
    signing_in.add_to(pages)
    joining.add_to(pages)
    device.add_to(pages)
    resetting.add_to(pages)
    account.add_to(pages)
    trouble.add_to(pages)
    pages.after_request(finish)
    return pages
