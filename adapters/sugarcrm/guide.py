"""What an operator of a Sugar instance should know. Not for: what the bridge does with it."""

from adapters.guide import Guide

GUIDE = Guide(
    column_types={
        "array": ("multienum",),
        "bool": ("bool",),
        "date": ("date",),
        "datetime": ("datetime", "datetimecombo"),
        "decimal": ("decimal", "currency", "float", "int"),
        "emails": ("email",),
        "id": ("id",),
        "inverted_bool": ("bool",),
        "list": ("varchar", "text"),
        "lookup": ("varchar", "id"),
        "option": ("enum", "varchar"),
        "phone": ("phone", "varchar"),
        "text": ("varchar", "text", "name", "phone", "url"),
    },
    lengths={"lookup": 36, "option": 20, "list": 255},
    packager="adapters.sugarcrm.package:SugarPackage",
    package_advice="Admin > Module Loader: upload it, install it; then Admin > Repair > Quick "
    "Repair and Rebuild; then `provision --apply` writes the check row.",
    advice={
        "bad-credentials": "check the user's name and password, that it isn't a single sign-on "
        "user, crm.options.platform (Admin > Configure API Platforms), and the OAuth key if any",
        "invalid_grant": "another client signs in as this user on this platform: give the bridge a "
        "user and a platform of its own",
        "not_authorized": "the user's roles or teams don't allow it",
        "portal_not_configured": "enable the portal, or leave crm.options.passwords empty",
        "incorrect_version": "crm.options.api_version is none of this instance's",
        "no-module": "the mapping names a module that isn't there, or that the user may not see",
        "no-column": "the mapping names a column that isn't there, or that the user's role hides",
        "unreachable": "check url, DNS, the firewall's egress list, and ca_file",
        "timed-out": "the host doesn't answer in time: check the network on the way",
        "malformed": "not the REST API answered, but a proxy on the way, or a wrong url",
    },
    notes=(
        "A platform has one session per user: the bridge's users must sign in nowhere else on it, "
        "and the web tier and the worker need a user each.",
        "sync_key is the bridge's: another integration that writes it changes the ids of members.",
        "Upserts by sync_key are for administrators; without them a create is searched for first.",
        "Hide the credential's column from every role but the bridge's (field level permissions).",
    ),
)
