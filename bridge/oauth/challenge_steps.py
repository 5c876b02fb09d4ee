"""The steps of a challenge: password, one-time code, WeChat's code, and registering on the way.

Not for: the protocol around them (`challenge.py`), or who may sign in (`bridge/services`). A step
either knows who it is, or raises More with what is missing.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NoReturn

import flask

from adapters.errors import CrmError
from bridge import edge
from bridge.errors import FieldError, Problem, from_crm
from bridge.oauth.errors import Refusal
from bridge.oauth.registration_form import read
from bridge.parts import WebParts
from bridge.services import codes, operations, proofs, registration
from bridge.services.clients import Client
from bridge.services.codes import Asker
from bridge.services.proofs import Proof
from bridge.services.registration import Visit
from bridge.services.sign_in import Attempt, by_password, by_proof
from bridge.store.auth_sessions import Flow
from bridge.store.challenges import RESEND_SECONDS
from bridge.store.limits import network
from bridge.store.sessions import SignedIn

WechatCode = Callable[[str], tuple[str, str] | None]
"""Whose code of WeChat's it is: (kind of identity, its value); None for one that isn't good. Raises
Problem."""
WechatCodes = Mapping[str, WechatCode]
"""By the parameter that brings one; empty where WeChat isn't connected."""

FACTORS = {
    "username": "password",
    "otp_address": "otp",
    "otp": "otp",
    "wechat_code": "wechat_code",
    "wechat_mini_code": "wechat_mini_code",
    "registration": "registration",
}
"""What a request brings -> the step that its client must be allowed."""
KINDS = {"sms": "mobile", "mail": "email"}
WAIT_SECONDS = 5.0
_OWN = {"code-wrong": "otp_invalid", "conflict": "already_registered"}
"""Problems of the services -> errors of this endpoint."""


class More(Exception):
    """Not enough yet. `told`: constants and references of ours."""

    def __init__(self, error: str, retry_after: int = 0, **told: Any) -> None:
        super().__init__(error)
        self.error, self.retry_after, self.told = error, retry_after, told


class Steps:
    """One request of one flow. Changes `flow`."""

    def __init__(
        self,
        parts: WebParts,
        client: Client,
        flow: Flow,
        form: dict[str, str],
        wechat: WechatCodes,
    ) -> None:
        self._parts, self._client, self._flow, self._form = parts, client, flow, form
        self._wechat_codes = wechat

    def take(self) -> SignedIn:
        """Who signed in by what this request brings. Raises More, Refusal."""
        brought = [name for name in FACTORS if name in self._form]
        if len(brought) > 1:
            raise Refusal("invalid_request", "One step at a time.")
        try:
            if not brought:
                return self._go_on()
            if FACTORS[brought[0]] not in self._client.challenge:
                raise Refusal("unauthorized_client", "The client may not use this step.")
            return self._step(brought[0])(self._form[brought[0]])
        except Problem as problem:
            _told(problem)
        except CrmError as error:
            _told(from_crm(error))

    def _step(self, name: str) -> Callable[[str], SignedIn]:
        steps: dict[str, Callable[[str], SignedIn]] = {
            "username": self._password,
            "otp_address": self._send,
            "otp": self._verify,
            "wechat_code": partial(self._wechat, "wechat_code"),
            "wechat_mini_code": partial(self._wechat, "wechat_mini_code"),
            "registration": self._register,
        }
        return steps[name]

    def _go_on(self) -> SignedIn:
        if self._flow.op:
            return self._registered()
        raise More("insufficient_authorization", steps=sorted(self._client.challenge))

    def _password(self, username: str) -> SignedIn:
        password = self._form.get("password", "")
        attempt = Attempt(
            username[:254], password, self._client.client_id, self._address(), edge.trace()
        )
        return by_password(self._parts, attempt) or _raise(More("invalid_credentials"))

    def _send(self, address: str) -> NoReturn:
        kind = KINDS.get(self._form.get("otp_channel", "sms"))
        if kind is None:
            raise Refusal("invalid_request", "otp_channel is sms or mail.")
        asker = Asker(
            client=self._client.client_id,
            binding=self._flow.binding,
            address=self._address(),
            language="en" if self._form.get("ui_locales", "").startswith("en") else "zh-CN",
            trace=edge.trace(),
        )
        self._flow.sent = codes.start(self._parts, kind, address, "sign-in", asker)
        raise More("otp_required", resend_in=RESEND_SECONDS)

    def _verify(self, code: str) -> SignedIn:
        parts, binding = self._parts, self._flow.binding
        ticket = codes.verify(parts, self._flow.sent, code[:12], binding)
        proof = proofs.open_ticket(parts, ticket, "sign-in", binding)
        return self._known(proof)

    def _wechat(self, parameter: str, code: str) -> SignedIn:
        whose = self._wechat_codes.get(parameter)
        if whose is None:
            raise Refusal("invalid_request", "That account of WeChat's is not connected here.")
        found = whose(code)
        if found is None:
            raise More("wechat_code_invalid")
        parts, binding = self._parts, self._flow.binding
        ticket = proofs.issue(parts, *found, "sign-in", binding)
        return self._known(proofs.open_ticket(parts, ticket, "sign-in", binding))

    def _known(self, proof: Proof) -> SignedIn:
        """Whoever holds what was proven; else it is kept for a registration."""
        found = by_proof(self._parts, proof, edge.trace())
        if found is not None:
            return found
        self._flow.tickets[proof.kind] = proofs.issue(
            self._parts, proof.kind, proof.value, "registration", self._flow.binding
        )
        raise More("registration_required", proven=sorted(self._flow.tickets))

    def _register(self, text: str) -> SignedIn:
        self._parts.limits.hit("registrations_per_client", self._client.client_id)
        self._parts.limits.hit("registrations_per_network", network(self._address()))
        visit = Visit(
            client=self._client.client_id,
            owner=operations.owner(
                self._parts.names, member_id=None, client=self._client.client_id
            ),
            channel=self._client.client_id,
            trace=edge.trace(),
        )
        proven = self._proven()
        if not proven or proven[0].kind not in KINDS.values():
            raise Problem("proof-invalid", [FieldError("", "required")])
        form = read(self._parts.mapping, text)
        made = registration.register(self._parts, proven, form, visit)
        self._flow.op = made.op
        return self._registered()

    def _registered(self) -> SignedIn:
        """Who the registration made, as soon as the CRM has confirmed it."""
        outcome = self._parts.mailboxes.wait(self._flow.op, WAIT_SECONDS)
        if outcome is None:
            raise More("registration_pending", retry_after=1)
        operations.applied(outcome)
        proven = self._proven()
        return by_proof(self._parts, proven[0], edge.trace()) or _raise(
            More("registration_pending", retry_after=1)
        )

    def _proven(self) -> list[Proof]:
        """The mobile or mailbox first: its member is who signs in."""
        tickets = sorted(self._flow.tickets.items(), key=lambda each: each[0] not in KINDS.values())
        binding = self._flow.binding
        return [
            proofs.open_ticket(self._parts, ticket, "registration", binding)
            for _, ticket in tickets
        ]

    def _address(self) -> str:
        """The person's, as the client's own server saw it; a public client is the person's own."""
        told = "" if self._client.public else self._form.get("remote_address", "")
        return told or flask.request.remote_addr or ""


def _raise(error: Exception) -> NoReturn:
    raise error


def _told(problem: Problem) -> NoReturn:
    """A problem of the services in the words of this endpoint."""
    if problem.type in _OWN:
        raise More(_OWN[problem.type]) from None
    if problem.type == "too-many":
        raise More("too_many_attempts", math.ceil(problem.retry_after or 60)) from None
    if problem.kind.status >= 500:
        raise More("temporarily_unavailable", math.ceil(problem.retry_after or 5)) from None
    errors = [each.as_dict() for each in problem.errors]
    raise More("step_refused", problem=problem.type, errors=errors) from None
