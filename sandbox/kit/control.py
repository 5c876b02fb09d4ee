"""The control plane of a part, under /_sandbox/. No authentication; it exists only here."""

from typing import TYPE_CHECKING, Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

if TYPE_CHECKING:
    from sandbox.kit.part import Part


def control_blueprint(part: "Part") -> Blueprint:
    """reset, seed, clock, faults, requests and state of this part; all JSON."""
    plane = Blueprint(f"{part.name}_control", __name__, url_prefix="/_sandbox")
    _add_data(plane, part)
    _add_clock(plane, part)
    _add_faults(plane, part)
    _add_requests(plane, part)
    plane.register_error_handler(ValueError, _bad)
    plane.register_error_handler(TypeError, _bad)
    return plane


def _bad(error: Exception) -> ResponseReturnValue:
    return jsonify(error=str(error)), 400


def _document() -> Any:
    return request.get_json(force=True, silent=True) or {}


def _add_data(plane: Blueprint, part: "Part") -> None:
    @plane.post("/reset")
    def reset() -> ResponseReturnValue:
        part.faults.clear()
        part.seen.clear()
        part.reset()
        return jsonify(ok=True)

    @plane.post("/seed")
    def seed() -> ResponseReturnValue:
        return jsonify(ok=True, result=part.seed(_document()))

    @plane.get("/state")
    def state() -> ResponseReturnValue:
        return jsonify(part.state())


def _add_clock(plane: Blueprint, part: "Part") -> None:
    @plane.get("/clock")
    def read_clock() -> ResponseReturnValue:
        return jsonify(now=part.kit.clock.now())

    @plane.post("/clock")
    def move_clock() -> ResponseReturnValue:
        document = _document()
        if not set(document) <= {"advance", "set"}:
            raise ValueError("the clock knows advance and set")
        if "set" in document:
            part.kit.clock.set(document["set"])
        part.kit.clock.advance(float(document.get("advance", 0)))
        return jsonify(now=part.kit.clock.now())


def _add_faults(plane: Blueprint, part: "Part") -> None:
    @plane.get("/faults")
    def list_faults() -> ResponseReturnValue:
        return jsonify(faults=part.faults.left())

    @plane.post("/faults")
    def add_faults() -> ResponseReturnValue:
        document = _document()
        for rule in document if isinstance(document, list) else [document]:
            part.faults.add(rule)
        return jsonify(faults=part.faults.left())

    @plane.delete("/faults")
    def clear_faults() -> ResponseReturnValue:
        part.faults.clear()
        return jsonify(ok=True)


def _add_requests(plane: Blueprint, part: "Part") -> None:
    @plane.get("/requests")
    def list_requests() -> ResponseReturnValue:
        return jsonify(requests=part.seen.entries(int(request.args.get("since", 0))))

    @plane.delete("/requests")
    def clear_requests() -> ResponseReturnValue:
        part.seen.clear()
        return jsonify(ok=True)
