"""What a FHIR server of ours refuses, and how it says so."""

from typing import Any

from fhir_adapters.rules.problem import Problem

Json = dict[str, Any]


class Refused(Exception):
    """An HTTP status with an OperationOutcome."""

    def __init__(self, status: int, code: str, *messages: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.headers = status, headers or {}
        self.issues: list[Json] = [
            {"severity": "error", "code": code, "diagnostics": text} for text in messages or (code,)
        ]

    @property
    def outcome(self) -> Json:
        """The OperationOutcome."""
        return operation_outcome(*self.issues)

    def in_entry(self, index: int) -> "Refused":
        """The same, told of an entry of a Bundle."""
        for issue in self.issues:
            inside = ["resource", *path.split(".")[1:]] if (path := issue.get("expression", [""])[0]) else []
            issue["expression"] = [".".join([f"Bundle.entry[{index}]", *inside])]
        return self


def against_the_rules(status: int, problems: list[Problem]) -> Refused:
    """One issue for each broken rule, with where it is."""
    refused = Refused(status, "invariant")
    refused.issues = [
        {"severity": "error", "code": "invariant", "diagnostics": f"{p.message} ({p.rule})", "expression": [p.path]}
        for p in problems
    ]
    return refused


def operation_outcome(*issues: Json) -> Json:
    """An OperationOutcome."""
    return {"resourceType": "OperationOutcome", "issue": list(issues)}
