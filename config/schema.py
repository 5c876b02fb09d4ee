"""Every setting there is, with type, bounds and meaning. Not for: reading files (`settings.py`).

`docs/configuration.md` is written from this file: the `help` of each field is its text there.
"""

from typing import Any

from marshmallow import (
    RAISE,
    Schema,
    ValidationError,
    fields,
    post_load,
    validate,
    validates_schema,
)

from config import colours


def _help(text: str) -> dict[str, Any]:
    return {"help": text}


def _text(text: str, **kwargs: Any) -> fields.String:
    return fields.String(metadata=_help(text), **kwargs)


def _whole(text: str, default: int, low: int, high: int) -> fields.Integer:
    bounds = validate.Range(min=low, max=high)
    return fields.Integer(load_default=default, validate=bounds, metadata=_help(text))


def _flag(text: str, default: bool) -> fields.Boolean:
    return fields.Boolean(load_default=default, metadata=_help(text))


def _part(schema: type[Schema]) -> fields.Nested:
    return fields.Nested(schema, load_default=lambda: schema().load({}))


_URL = validate.URL(schemes={"http", "https"}, require_tld=False)
_REDIS = validate.Regexp(r"^(redis|rediss|unix)://")


class Part(Schema):
    """A section; a key that isn't listed is a mistake."""

    class Meta:
        unknown = RAISE


class RedisPart(Part):
    tokens_url = _text(
        "The tokens role: redis://user:password@host:port/0", required=True, validate=_REDIS
    )
    queue_url = _text(
        "The queue role: durable; another server, or at least another user",
        required=True,
        validate=_REDIS,
    )
    queue_replicas = _whole("Acknowledge a write only when this many replicas have it", 0, 0, 5)


class KeysPart(Part):
    directory = _text(
        "This role's key files; `python -m bridge keys make` makes them", required=True
    )


class CrmPart(Part):
    adapter = _text(
        "`dynamics`, `sugarcrm`, `suitecrm`, `memory`, or `package.module:Class`", required=True
    )
    mapping = _text("The mapping file", required=True)
    requires = fields.List(
        fields.String(),
        load_default=list,
        metadata=_help(
            "Capabilities that this deployment can't do without; `atomic_batch` refuses a CRM on "
            "which a registration goes step by step"
        ),
    )
    options = fields.Dict(
        keys=fields.String(),
        load_default=dict,
        metadata=_help("The adapter's own settings (Dynamics: url, authority, tenant, ca_file, …)"),
    )
    credential = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        load_default=dict,
        metadata=_help("This role's CRM user; from the environment or a file"),
    )
    connect_timeout = fields.Float(load_default=2.0, metadata=_help("Seconds"))
    read_timeout = fields.Float(load_default=4.0, metadata=_help("Seconds, on the web tier"))
    worker_timeout = fields.Float(load_default=20.0, metadata=_help("Seconds, in the worker"))
    requests_per_second = fields.Float(
        load_default=0.0,
        metadata=_help("The CRM's allowance for this role's user; 0 is no pacing of our own"),
    )


class WechatPart(Part):
    enabled = _flag("Serve the official account", False)
    appid = _text("The official account's appid", load_default="")
    secret = _text("Its secret; from the environment or a file", load_default="")
    token = _text("The callback token", load_default="")
    aes_key = _text("EncodingAESKey, 43 characters", load_default="")
    previous_aes_key = _text("The key before the last rotation", load_default="")
    original_id = _text("The account's gh_… id", load_default="")
    mini_appid = _text(
        "A mini program's appid, whose users sign in by its own code; empty where there is none",
        load_default="",
    )
    mini_secret = _text("Its secret; from the environment or a file", load_default="")
    api_base = _text(
        "Where api.weixin.qq.com is", load_default="https://api.weixin.qq.com", validate=_URL
    )
    open_base = _text(
        "Where open.weixin.qq.com is", load_default="https://open.weixin.qq.com", validate=_URL
    )
    mp_base = _text(
        "Where mp.weixin.qq.com is", load_default="https://mp.weixin.qq.com", validate=_URL
    )


class GatewayPart(Part):
    kind = _text(
        "`http`, `smtp`, or `none`",
        load_default="none",
        validate=validate.OneOf(["http", "smtp", "none"]),
    )
    url = _text("http: the gateway's base URL", load_default="")
    token = _text("http: its bearer token; from the environment or a file", load_default="")
    host = _text("smtp: host", load_default="")
    port = _whole("smtp: port", 587, 1, 65535)
    user = _text("smtp: user", load_default="")
    password = _text("smtp: password", load_default="")
    sender = _text("smtp: From address", load_default="")
    starttls = _flag("smtp: STARTTLS before anything else", True)


class NotifyPart(Part):
    sms = _part(GatewayPart)
    mail = _part(GatewayPart)


class OauthPart(Part):
    clients_file = _text("The OAuth clients, YAML; needed on the web tier", load_default="")
    access_token_seconds = _whole("Life of an access token", 600, 60, 3600)
    code_seconds = _whole("Life of an authorization code", 60, 10, 60)
    refresh_idle_seconds = _whole("A grant unused for this long ends", 30 * 86400, 300, 90 * 86400)
    refresh_absolute_seconds = _whole("A grant ends after this", 90 * 86400, 600, 90 * 86400)
    browser_session_seconds = _whole("The pages' session, idle", 1800, 60, 7200)
    step_up_seconds = _whole(
        "Password, addresses, identities and erasing need a sign-in this recent", 600, 60, 86400
    )
    step_up_acr = _text(
        "How strong that sign-in must be: `aal1`, or `aal2` for password and code together",
        load_default="aal1",
        validate=validate.OneOf(["aal1", "aal2"]),
    )
    stamp_check_seconds = _whole(
        "Refresh asks the CRM after this long without a read", 3600, 60, 86400
    )


class BffPart(Part):
    secrets = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        load_default=dict,
        metadata=_help("{client id: its secret} of clients with a `bff`; from files"),
    )
    session_seconds = _whole(
        "A site's cookie session ends when unused for so long", 28800, 300, 30 * 86400
    )


class LimitsPart(Part):
    codes_per_address = _whole("One-time codes an hour for one address", 5, 1, 1000)
    codes_per_network = _whole("One-time codes an hour for one /24 or /64", 60, 1, 100000)
    codes_per_client = _whole("One-time codes an hour for one client", 5000, 1, 10**7)
    messages_per_day = _whole("One-time codes and mails a day in all", 50000, 1, 10**8)
    sign_ins_per_identifier = _whole("Sign-in tries per identifier in 15 minutes", 10, 1, 1000)
    sign_ins_per_network = _whole("Sign-in tries per /24 or /64 in 15 minutes", 200, 1, 10**6)
    sign_ins_per_client = _whole("Sign-in tries per client in 15 minutes", 20000, 1, 10**7)
    registrations_per_network = _whole("Registrations an hour per /24 or /64", 100, 1, 10**6)
    registrations_per_client = _whole("Registrations an hour per client", 20000, 1, 10**7)
    claim_tries = _whole("Tries a day to claim a record with one number", 3, 1, 10)


class ClaimsPart(Part):
    enabled = _flag(
        "Let members claim records that the CRM has already; it reads once more at a registration",
        False,
    )


class HttpPart(Part):
    secure_cookies = _flag("`__Host-` cookies with Secure; off only on loopback", True)
    trusted_proxies = _whole("How many proxies in front set X-Forwarded-For", 0, 0, 5)
    serve_docs = _flag("Serve /docs and the details of /readyz", False)
    max_body = _whole("Largest request body, bytes", 65536, 1024, 1048576)
    threads = _whole("Threads of one web process; start the server with as many", 64, 1, 512)
    wait_share = fields.Float(
        load_default=0.25,
        validate=validate.Range(min=0.0, max=0.9),
        metadata=_help("Share of the threads that may wait for outcomes"),
    )


class ConsentPart(Part):
    purpose = _text(
        "A short name, such as `membership`",
        required=True,
        validate=validate.Regexp(r"^[a-z][a-z0-9_]{0,49}$"),
    )
    version = _text("The version of the text", required=True)
    required = _flag("No registration without it", False)
    text = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata=_help("{language: text}"),
    )


class ProfilePart(Part):
    required = fields.List(
        fields.String(),
        load_default=list,
        metadata=_help(
            "Fields that a new member must have, such as `family_name` or `ext.club`. Members who "
            "were in the CRM before may lack them; nobody can empty them"
        ),
    )
    wanted = fields.List(
        fields.String(),
        load_default=list,
        metadata=_help("Further fields that make a profile complete (`GET /v1/me/completeness`)"),
    )
    minimum_age = _whole(
        "Whoever gives a birth date must be this old, in years; 0 asks nothing. PIPL article 31: "
        "under 14 needs a parent's consent, which isn't taken here. Put `birth_date` under "
        "`required` so that nobody passes by leaving it out",
        14,
        0,
        21,
    )


class SecurityEventsPart(Part):
    url = _text(
        "The collector outside the web tier that takes security events; empty: the log, without "
        "pseudonyms",
        load_default="",
        validate=lambda url: not url or _URL(url),
    )
    token = _text("Its bearer token; from the environment or a file", load_default="")
    ca_file = _text("A CA of its own, other than the public ones", load_default="")


def _scheme(text: str) -> fields.Dict:
    return fields.Dict(
        keys=fields.String(validate=validate.OneOf(tuple(colours.BRAND))),
        values=fields.String(
            validate=validate.Regexp(rf"^{colours.HEX.pattern}$", error="Not a colour #rrggbb.")
        ),
        load_default=dict,
        metadata=_help(text),
    )


class ColoursPart(Part):
    light = _scheme(
        "Of the pages: " + "; ".join(f"`{name}` ({what})" for name, what in colours.BRAND.items())
    )
    dark = _scheme("The same names, for whoever has asked their device for dark pages")

    @validates_schema(skip_on_field_errors=True)
    def readable(self, data: dict[str, dict[str, str]], **_: Any) -> None:
        """A pair that too few people could read is refused (WCAG 2.2 AA)."""
        held = {**data, "dark": colours.in_dark(data)}
        found = {name: list(colours.unreadable(name, given)) for name, given in held.items()}
        if any(found.values()):
            raise ValidationError({name: told for name, told in found.items() if told})

    @post_load
    def completed(self, data: dict[str, dict[str, str]], **_: Any) -> dict[str, dict[str, str]]:
        """With what the dark scheme has from the light one."""
        return {**data, "dark": colours.in_dark(data)}


class BrandPart(Part):
    name = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata=_help("{language: the brand's name}"),
        load_default=lambda: {"zh-CN": "会员中心", "en": "Members"},
    )
    stores = fields.Dict(
        keys=fields.String(), load_default=dict, metadata=_help("{store code: {language: name}}")
    )
    logo = _text(
        "A picture file in place of the name at the head of the pages: `.svg` or `.png`, at most "
        "100 kB, drawn at most 44 px high; the name is its alternative text",
        load_default="",
    )
    picture = _text(
        "A picture file behind the name, in place of the dial: `.svg`, `.png`, `.jpg` or `.webp`, "
        "at most 300 kB. With a `band` colour and no picture there is none",
        load_default="",
    )
    texts = _text(
        "A YAML file {language: {section: {key: text}}} with what the pages are to say otherwise",
        load_default="",
    )
    colours = _part(ColoursPart)


class Root(Part):
    """The whole configuration."""

    environment = _text(
        "`production` or `sandbox`",
        required=True,
        validate=validate.OneOf(["production", "sandbox"]),
    )
    issuer = _text(
        "The base URL as members see it, without a slash at the end", required=True, validate=_URL
    )
    region = _text(
        "Where a phone number without a country code is from",
        load_default="CN",
        validate=validate.Length(equal=2),
    )
    log_level = _text(
        "INFO, or WARNING",
        load_default="INFO",
        validate=validate.OneOf(["DEBUG", "INFO", "WARNING"]),
    )
    redis = fields.Nested(RedisPart, required=True)
    keys = fields.Nested(KeysPart, required=True)
    crm = fields.Nested(CrmPart, required=True)
    oauth = _part(OauthPart)
    bff = _part(BffPart)
    wechat = _part(WechatPart)
    notify = _part(NotifyPart)
    limits = _part(LimitsPart)
    claims = _part(ClaimsPart)
    http = _part(HttpPart)
    profile = _part(ProfilePart)
    security_events = _part(SecurityEventsPart)
    consents = fields.List(fields.Nested(ConsentPart), load_default=list)
    brand = _part(BrandPart)
    egress = fields.List(
        fields.String(),
        load_default=list,
        metadata=_help(
            "Every host that the process may call, as host or host:port; empty in the sandbox"
        ),
    )
