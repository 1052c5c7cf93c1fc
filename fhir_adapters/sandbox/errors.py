"""What the sandbox refuses, and how it says so."""

from typing import Any

Json = dict[str, Any]


class Refused(Exception):
    """An HTTP status with an OperationOutcome."""

    def __init__(self, status: int, code: str, *messages: str) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.messages = status, code, messages

    @property
    def outcome(self) -> Json:
        """The OperationOutcome."""
        return operation_outcome(self.code, *self.messages)


def operation_outcome(code: str, *messages: str) -> Json:
    """One issue for each message."""
    issues = [{"severity": "error", "code": code, "diagnostics": message} for message in messages or (code,)]
    return {"resourceType": "OperationOutcome", "issue": issues}
