"""What the API's document says of the channel."""

from flask import Flask

from bridge.api.openapi import Document
from bridge.wechat import routes


def test_the_route_for_clients_is_documented() -> None:
    """A client's developer finds /v1/qr-codes, its body, its answer and its scope."""
    document = Document(Flask("test"))

    document.register_blueprint(routes.qr_codes(None, None))  # type: ignore[arg-type]

    found = document.as_dict()
    assert list(found["paths"]) == ["/v1/qr-codes"]
    described = found["paths"]["/v1/qr-codes"]["post"]
    assert described["security"] == [{"bearer": ["qr:write"]}]
    assert "store" in found["components"]["schemas"]["QrCodeRequest"]["properties"]
    assert "ticket" in found["components"]["schemas"]["QrCodeDone"]["properties"]
