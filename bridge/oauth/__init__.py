"""The authorization server: OAuth 2.1's code grant with PKCE, refresh, client credentials, and
OpenID Connect's core, on Authlib.

Not for: signing members in (`bridge/services/sign_in.py`, `bridge/pages`), or keeping tokens
(`bridge/store/grants.py`).
"""

from bridge.oauth.routes import blueprint

__all__ = ["blueprint"]
