"""The credential part of a member: password hash and security stamp.

A credential is a noun of its own, but it lives in the member's row, so that a sign-in is one read.
Not for: sign-in identities, which are records of their own (`identity.py`).
"""

from marshmallow import RAISE, Schema

from mappings.canonical.fields import text


class CredentialSchema(Schema):
    """What proves a member. No client ever sees or sends any of it."""

    class Meta:
        """Unknown fields are refused."""

        unknown = RAISE

    # The sealed argon2id hash; personal, since it is a person's, and secret.
    credential = text(400, personal=True, system=True, secret=True)
    # Another system's hash of the same password (ASP.NET Identity's, as Power Pages keeps it): it
    # counts until the member's first sign-in here, which replaces it.
    legacy_credential = text(200, personal=True, system=True, secret=True)
    # The name by which a CRM that checks passwords itself knows the member
    # (`run("check_password", …)`).
    portal_name = text(100, personal=True, system=True)
    # Changes at "sign out everywhere"; grants carry a digest of it.
    stamp = text(64, system=True, secret=True)
