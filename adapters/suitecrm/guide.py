"""What an operator of a SuiteCRM should know. Not for: what the bridge does with it."""

from adapters.guide import Guide

GUIDE = Guide(
    column_types={
        "bool": ("bool",),
        "date": ("date",),
        "datetime": ("varchar", "datetime", "datetimecombo"),
        "decimal": ("decimal", "currency", "float", "int"),
        "id": ("id",),
        "inverted_bool": ("bool",),
        "lookup": ("id", "varchar"),
        "option": ("enum", "varchar"),
        "phone": ("phone", "varchar"),
        "text": ("varchar", "text", "name", "email", "phone", "url"),
    },
    packager="adapters.suitecrm.package:SuitePackage",
    package_advice="Admin > Module Loader: upload it, install it; then Admin > Repair > Quick "
    "Repair and Rebuild; then `provision --apply` writes the check row.",
    lengths={"datetime": 20, "option": 20},
    own_columns={"version_column": ("cb_version_c", 32)},
    privileges={
        "read": "List, View",
        "create": "Edit",
        "update": "Edit",
        "erase": "Delete",
        "link": "Edit",
        "linked": "View",
    },
    advice={
        "access-denied": "a role of this client's user lacks a right in the module: Admin > Role "
        "Management, and what `provision --plan` lists",
        "bad-credentials": "check client_id and client_secret (Admin > OAuth2 Clients and Tokens), "
        "that the client is made for this grant, and its user's name and password",
        "bad-mapping": "the mapping or crm.options.version_column names a module or column that "
        "isn't there",
        "unreachable": "check url, DNS, the firewall's egress list, and ca_file",
        "timed-out": "the host doesn't answer in time: check the network on the way",
        "malformed": "something that isn't the V8 API answered: a proxy on the way, a wrong url "
        "(SuiteCRM 8 needs /legacy at its end), or PHP's own error page",
    },
    notes=(
        "A column of type datetime is shown to the minute by V8; one of varchar(20) keeps seconds.",
        "V8 can't hide one column from one user: whoever reads the module reads the credential.",
        "A change of email1 or email_opt_out is dropped by 7.14.6 (SuiteCRM issue 10513); the "
        "bridge reports it as refused.",
    ),
)
