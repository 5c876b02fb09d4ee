"""The backend for a site in the browser (RFC 10017 section 6.1, BCP 212): it holds the site's
tokens and gives the browser a cookie.

Not for: tokens or members. It is a client of our own server: it speaks OAuth and the API with it
(`server.py`) and imports neither.
"""

from bridge.bff.routes import blueprint

__all__ = ["blueprint"]
