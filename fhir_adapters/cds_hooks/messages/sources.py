"""Where each rule comes from, so that whoever is judged can read it there."""

SPECIFICATION = "https://cds-hooks.hl7.org/2.0/"
HOOK_PAGES = "https://cds-hooks.hl7.org/hooks/{0}/STU1/{0}/"

# Invariants of HL7's logical models of CDS Hooks (repository HL7/cds-hooks); ord-1 belongs to the hook's context.
INVARIANTS = {
    "cds-r-1": "CDSHooksRequest",
    "cds-r-2": "CDSHooksRequest",
    "cds-resp-1": "CDSHooksResponse",
    "cds-resp-2": "CDSHooksResponse",
    "cds-resp-3": "CDSHooksResponse",
    "cds-resp-4": "CDSHooksResponse",
    "cds-resp-5": "CDSHooksResponse",
    "cds-resp-6": "CDSHooksResponse",
    "cds-resp-7": "CDSHooksResponse",
    "cds-fb-1": "CDSHooksFeedback",
    "cds-fb-2": "CDSHooksFeedback",
    "cds-fb-3": "CDSHooksFeedback",
    "ord-1": "CDSHookOrderSelectContext",
}


def source_of(rule: str) -> str:
    """The text that a rule of ours rests on.

    Example:
        >>> source_of("card-attributes:required")
        'CDS Hooks 2.0, https://cds-hooks.hl7.org/2.0/#card-attributes'
    """
    if rule in INVARIANTS:
        return f"HL7 logical model {INVARIANTS[rule]}, invariant {rule}"
    section, _, what = rule.partition(":")
    if section == "r4":
        return f"FHIR R4, rule {what}"
    if section in ("patient-view", "order-select", "order-sign"):
        return f"hook {section}, {HOOK_PAGES.format(section)}"
    return f"CDS Hooks 2.0, {SPECIFICATION}#{section}"
