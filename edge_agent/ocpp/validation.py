"""OCPP's schemas, held against what a charge point says; and the error code that each version has for what is wrong."""

from typing import Any

from jsonschema.exceptions import ValidationError
from ocpp.messages import MessageType, get_validator

REASON_LENGTH_MAX = 255
_FORMAT = {"1.6": "FormationViolation", "2.0.1": "FormatViolation"}
_REQUIRED = {"1.6": "ProtocolError", "2.0.1": "OccurrenceConstraintViolation"}
_BOUNDS = frozenset({
    "enum", "maxLength", "minLength", "minimum", "maximum", "multipleOf", "pattern", "format", "minItems", "maxItems",
})  # fmt: skip


class CallRefused(Exception):
    """A call that is answered with CALLERROR. ``code`` is OCPP's."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason[:REASON_LENGTH_MAX])
        self.code = code


def check_call(action: str, payload: Any, version: str) -> None:
    """Does the payload fit the action's schema? Raises CallRefused."""
    try:
        validator = get_validator(MessageType.Call, action, version)
    except OSError as error:
        raise CallRefused("NotImplemented", f"{action[:50]} is not an action of OCPP {version}") from error
    try:
        validator.validate(payload)
    except ValidationError as error:
        raise CallRefused(_code(str(error.validator), version), f"{error.json_path}: {error.validator}") from error


def malformed(version: str) -> str:
    """The code for what is not OCPP-J at all."""
    return "RpcFrameworkError" if version == "2.0.1" else _FORMAT[version]


def _code(rule: str, version: str) -> str:
    if rule == "required":
        return _REQUIRED[version]
    if rule == "type":
        return "TypeConstraintViolation"
    return "PropertyConstraintViolation" if rule in _BOUNDS else _FORMAT[version]
