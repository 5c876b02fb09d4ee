"""What an operator of a Dataverse environment should know. Not for: what the bridge does with it.

Sources: learn.microsoft.com/power-platform/admin/manage-application-users,
/power-platform/admin/field-level-security, /entra/identity-platform/reference-error-codes,
/power-apps/developer/data-platform/entity-attribute-metadata, /define-alternate-keys-entity.
"""

from adapters.guide import Guide

GUIDE = Guide(
    column_types={
        "bool": ("Boolean",),
        "date": ("DateTime",),  # behaviour DateOnly
        "datetime": ("DateTime",),
        "decimal": ("Decimal", "Money", "Double", "Integer", "BigInt"),
        "id": ("Uniqueidentifier",),
        "inverted_bool": ("Boolean",),
        "list": ("String", "Memo"),
        "lookup": ("Lookup", "Customer", "Owner"),
        "option": ("Picklist", "State", "Status", "Integer", "Boolean"),
        "phone": ("String",),
        "text": ("String", "Memo"),
    },
    privileges={
        "read": "Read",
        "create": "Create",
        "update": "Write",
        "erase": "Delete",
        "link": "Append",
        "linked": "Append To",
    },
    advice={
        "AADSTS7000215": "the client secret is wrong or was replaced: take its value (not its id) "
        "from the app registration's Certificates & secrets",
        "AADSTS7000222": "the client secret has expired: make a new one in the app registration",
        "AADSTS700016": "the tenant has no app registration with this client id: check client_id, "
        "and tenant",
        "AADSTS700027": "the certificate isn't registered with the app registration: upload it",
        "AADSTS700030": "the certificate isn't registered with the app registration: upload it",
        "AADSTS90002": "there is no such tenant at this authority: check tenant, and that the "
        "authority is the one of this cloud",
        "AADSTS500011": "the environment's URL is no resource in this tenant: check url and scope",
        "0x80072560": "the app registration has no application user in this environment: Power "
        "Platform admin center > Environments > (this one) > Settings > Users + permissions > "
        "Application users > New app user; then give it the role that `provision --plan` lists",
        "0x80040220": "a privilege is missing: add to the application user's security role what "
        "`provision --plan` lists (organization level)",
        "bad-credentials": "check tenant, client_id and the secret or certificate of this role",
        "bad-mapping": "the mapping names a table or entity set that isn't there: see "
        "`provision --plan`",
        "unreachable": "check url and authority, DNS, the firewall's egress list, and ca_file",
        "timed-out": "the host doesn't answer in time: check the network on the way",
        "throttled": "the application user is over its limits: wait, and look who else uses it",
        "malformed": "something that isn't the Web API answered: a proxy on the way, or a wrong "
        "url",
    },
    installer="adapters.dynamics.provision:DataverseInstaller",
    notes=(
        "All tables are user or organization owned; give each privilege at organization level.",
        "A column of type date has the behaviour DateOnly.",
        "A secured column (the credential's, recommended) needs a column security profile: read "
        "for both application users, create and update for the writer only.",
        "A lookup's delete behaviour is Remove Link: erasing a member must not be stopped by, "
        "nor silently remove, its identities.",
        "Duplicate detection rules and plug-ins on these tables run on the bridge's writes too.",
    ),
)
