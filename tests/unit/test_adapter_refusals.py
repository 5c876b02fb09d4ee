"""What an operator is told of a refused token: the authority's own number, and what to do."""

from typing import Any

import pytest

from adapters.dynamics.guide import GUIDE
from adapters.dynamics.tokens import Tokens
from adapters.errors import BadCredentials
from adapters.http import Answer
from mappings.converters import CONVERTERS
from tests.unit.test_adapter_tokens import OPTIONS, FakeWire, Kept, soon


def _refusal(number: Any) -> dict[str, Any]:
    """Entra's shape of an error."""
    return {
        "error": "invalid_client",
        "error_description": f"AADSTS{number}: canary",
        "error_codes": [number],
    }


class NoTenant(FakeWire):
    """Answers discovery with a refusal, as Entra does for a tenant that isn't there."""

    def exchange(self, method: str, url: str, headers: Any, body: Any, end: float) -> Answer:
        """As Wire.exchange."""
        if method == "GET":
            return Answer(400, {}, b'{"error": "invalid_tenant", "error_codes": [90002]}')
        raise AssertionError("no token is asked for")


@pytest.mark.parametrize("number", [7000215, 7000222, 700016])
def test_a_refused_credential_names_the_authoritys_number(number: int) -> None:
    """The number and nothing of the text, and the guide knows what to do about it."""
    wire = FakeWire((401, _refusal(number)))
    with pytest.raises(BadCredentials) as caught:
        Tokens(OPTIONS, Kept(), wire).get(soon())

    assert caught.value.remote_code == f"AADSTS{number}"
    assert caught.value.remote_code in GUIDE.advice
    assert "canary" not in f"{caught.value!r}{caught.value.args}"


def test_a_tenant_that_is_not_there_is_named_by_discovery() -> None:
    """Its number comes with the discovery document's refusal, before any secret is sent."""
    with pytest.raises(BadCredentials) as caught:
        Tokens(OPTIONS, Kept(), NoTenant()).get(soon())

    assert caught.value.remote_code == "AADSTS90002"


@pytest.mark.parametrize("codes", [None, [], ["7000215 canary"], {"a": 1}, 7])
def test_a_strange_number_is_no_number(codes: Any) -> None:
    """Only a whole number is repeated: text could hold anything."""
    wire = FakeWire((401, {"error": "invalid_client", "error_codes": codes}))
    with pytest.raises(BadCredentials) as caught:
        Tokens(OPTIONS, Kept(), wire).get(soon())

    assert caught.value.remote_code == ""


def test_the_guide_knows_a_column_type_for_every_converter() -> None:
    """Whatever a mapping may say, the plan has a type to make; arrays are Sugar's."""
    assert set(GUIDE.column_types) == set(CONVERTERS) - {"array", "emails"}
