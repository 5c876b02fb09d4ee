"""What columns and choices are often called, for `draft`. Not for: any one CRM's names.

A name is compared without case, signs, a publisher's prefix, and `_c` at its end; where that finds
nothing, without `code`, `id` or digits at its end too.
"""

import re
from collections.abc import Mapping

FIELDS: Mapping[str, tuple[str, ...]] = {
    "subject": ("externalid", "externalsubject", "subjectid"),
    "given_name": ("firstname", "forename", "名"),
    "family_name": ("lastname", "surname", "姓"),
    "email": ("emailaddress", "mail"),
    "mobile": ("mobilephone", "phonemobile", "mobilenumber", "cellphone"),
    "birth_date": ("birthday", "dateofbirth", "dob"),
    "gender": ("sex",),
    "language": ("preferredlanguage", "locale"),
    "points": ("pointsbalance", "loyaltypoints", "pointbalance"),
    "tier": ("loyaltytier", "membertier", "memberlevel", "level"),
    "member_since": ("registeredat", "joinedat", "joindate", "enrolledat", "registrationdate"),
    "registered_store": ("joinstore", "storeofregistration", "homestore"),
    "registered_scene": ("joinscene",),
    "registered_channel": ("joinchannel", "channelofregistration"),
    "state": ("status",),
    "master": ("mergedinto",),
    "credential": ("credentialhash",),
    "legacy_credential": ("passwordhash",),
    "portal_name": ("portalname",),
    "stamp": ("securitystamp",),
    "last_operations": ("lastops",),
    "kind": ("identitykind", "identitytype", "type"),
    "value": ("identityvalue", "address"),
    "member": ("contact", "customer"),
    "member_text": ("membercopy",),
    "verified_at": ("verifiedon", "provenat"),
    "purpose": ("consentpurpose",),
    "granted": ("consentgiven", "optin", "agreed"),
    "text_version": ("consentversion", "termsversion"),
    "channel": ("consentchannel", "source"),
    "at": ("givenat", "consentedat", "consentdate", "givenon"),
}
"""Field -> other names, best first; its own name goes before them."""

TABLES: Mapping[str, tuple[str, ...]] = {
    "member": ("contact", "customer", "loyaltymember", "person"),
    "identity": ("memberidentity", "signinidentity", "login"),
    "consent": ("memberconsent", "consentrecord", "marketingconsent"),
}

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "female": ("f", "woman", "女"),
    "male": ("m", "man", "男"),
    "undisclosed": ("unknown", "notspecified", "other", "unspecified", "未知"),
    "zh-CN": ("chinese", "simplifiedchinese", "chinesesimplified", "zh", "中文", "简体中文"),
    "en": ("english", "enus", "engb", "英文"),
    "silver": ("银卡",),
    "gold": ("金卡",),
    "platinum": ("白金卡",),
    "mobile": ("mobilephone", "phone", "手机"),
    "wechat_oa": ("wechataccount", "wechatofficialaccount", "officialaccount"),
    "wechat_mini": ("wechatminiprogram", "miniprogram"),
    "card": ("membercard",),
}
"""Word -> other labels."""

EMPTY = ("undisclosed", "active")
"""Words that the CRM's empty may stand for, where no choice is called like them."""

_PREFIX = re.compile(r"^[a-z]{2,8}_(?=.)")
_SORT = re.compile(r"(?<=..)(code|id|\d+)$")
_SIGNS = re.compile(r"[\W_]+")


def plain(name: str) -> str:
    """`registered_store` and `Registered Store` -> `registeredstore`."""
    return _SIGNS.sub("", name.lower())


def stems(column: str) -> tuple[str, ...]:
    """A column's name as it might be meant: whole, and without a publisher's prefix."""
    name = column.lower()
    if name.startswith("_"):  # `_masterid_value`: as some CRMs read a lookup
        name = name[1:].removesuffix("_value")
    name = name.removesuffix("_c")
    return tuple(dict.fromkeys((plain(name), plain(_PREFIX.sub("", name)))))


def loose(column: str) -> tuple[str, ...]:
    """The same without what only says of which sort it is: `email1`, `gendercode`, `masterid`."""
    return tuple(_SORT.sub("", stem) for stem in stems(column))


def singular(name: str) -> str:
    """Near enough for names of tables."""
    for ending, instead in (("ies", "y"), ("s", "")):
        if name.endswith(ending) and not name.endswith("ss"):
            return name[: -len(ending)] + instead
    return name
