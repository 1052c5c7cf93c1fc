"""The head of the report: one sentence that says what happened, and what a reader must know before signing."""

from collections.abc import Iterator

from passerelle.report.facts import Finding, Level, ModelFacts, ReportFacts, SourceFacts
from passerelle.report.wording import count, listed, number, share

VERDICTS = {
    Level.WRONG: "Something is wrong: do not rely on these data before it is settled",
    Level.LOOK: "Nothing is broken; know these points before you sign",
    Level.NOTE: "Nothing wrong was found",
}


def sentence(facts: ReportFacts) -> str:
    """What came in, what became of it, and whether every row is accounted for; in plain words."""
    mapped = [source for source in facts.sources if source.accounts]
    if not mapped:
        return "Nothing has come in yet: no source was mapped in this workspace."
    accounts = [account for source in mapped for account in source.events]
    read = sum(account.read for account in accounts)
    kept = sum(account.outcomes[outcome] for account in accounts for outcome in ("mapped", "routed", "merged"))
    excluded = sum(account.outcomes["excluded"] for account in accounts)
    aside = sum(account.outcomes["quarantined"] for account in accounts)
    rules = len({(s.name, r.rule) for s in mapped for a in s.events for r in a.rules if r.outcome == "excluded"})
    lost = read - kept - excluded - aside
    where = mapped[0].label if len(mapped) == 1 else f"{len(mapped)} sources ({listed([s.label for s in mapped])})"
    parts = [f"{number(kept)} of them ({share(kept, read)}) went into the OMOP tables"]
    if excluded:
        parts.append(f"{number(excluded)} ({share(excluded, read)}) were left out by {count(rules, 'named rule')}")
    if aside:
        parts.append(f"{number(aside)} ({share(aside, read)}) were set aside for someone to look at")
    ending = "and no row is unaccounted for" if lost == 0 else f"but {count(abs(lost), 'row')} cannot be accounted for"
    return (
        f"{count(read, 'row')} of {count(len(accounts), 'table')} came in from {where}: {', '.join(parts)}, {ending}."
    )


def findings(facts: ReportFacts) -> list[Finding]:
    """Everything that a reader must not miss, the gravest first."""
    found = [finding for source in facts.sources for finding in _of_source(source, len(facts.sources) > 1)]
    found += [finding for model in facts.models for finding in _of_model(model)]
    found += _of_delivery(facts)
    order = list(Level)
    return sorted(found, key=lambda finding: order.index(finding.level))


def worst(found: list[Finding]) -> Level:
    """The level of the verdict."""
    return min((finding.level for finding in found), key=list(Level).index, default=Level.NOTE)


def _of_source(source: SourceFacts, several: bool) -> Iterator[Finding]:
    prefix = f"{source.name}: " if several else ""

    def finding(level: Level, text: str, section: str) -> Finding:
        return Finding(level, prefix + text, f"{source.name}-{section}")

    newest = source.newest
    if newest is None:
        yield finding(Level.LOOK, "this source was never run.", "run")
        return
    if not newest.complete:
        last = newest.steps[-1].event if newest.steps else "started"
        text = (
            f"the newest run {newest.run_id} did not finish (last step: {last}); readers see the run before it, if any."
        )
        yield finding(Level.WRONG, text, "run")
    for account in source.accounts:
        if not account.balances:
            sums = f"{number(account.read)} rows read, {number(account.total)} accounted for"
            text = f"{account.table} does not balance: {sums}."
            yield finding(Level.WRONG, text, "rows")
    yield from (finding(*item) for item in _of_quality(source))
    aside = sum(account.outcomes["quarantined"] for account in source.accounts)
    if aside:
        yield finding(Level.LOOK, f"{count(aside, 'row')} set aside in quarantine.", "quarantine")
    values = sum(group.rows for group in source.quarantine if not group.whole_row)
    if values:
        text = f"{count(values, 'row')} kept without a value that could not be read."
        yield finding(Level.NOTE, text, "quarantine")
    if newest.complete and source.run and source.run.vocabulary == "none":
        yield finding(Level.LOOK, "mapped without a vocabulary: no code has a concept.", "gaps")
    elif lost := sum(gaps.rows_lost for gaps in source.vocabularies):
        codes = sum(gaps.codes_lost for gaps in source.vocabularies)
        text = f"{count(codes, 'source code')} without a standard concept, in {count(lost, 'place')} of the data."
        yield finding(Level.NOTE, text, "gaps")


def _of_quality(source: SourceFacts) -> Iterator[tuple[Level, str, str]]:
    failed = [check for check in source.checks if check.status == "failed"]
    fatal = sum(check.severity == "fatal" for check in failed)
    if fatal:
        yield Level.WRONG, f"{count(fatal, 'fatal quality check')} failed.", "quality"
    if len(failed) > fatal:
        text = f"{count(len(failed) - fatal, 'quality check')} failed, none of them fatal."
        yield Level.LOOK, text if not fatal else text.replace("none of them", "not"), "quality"
    if not source.checks:
        yield Level.LOOK, "the quality of the CDM tables was not checked.", "quality"


def _of_model(model: ModelFacts) -> Iterator[Finding]:
    """A model that is not shown to beat what one gets without it."""
    if model.unreadable:
        yield Finding(Level.LOOK, f"the results of {model.model} cannot be read.", f"model-{model.model}")
    unbeaten = dict.fromkeys(gain.score for gain in model.gains if gain.low is None or gain.low <= 0)
    if unbeaten:
        baselines = listed([f"“{name}”" for name in unbeaten])
        text = f"{model.model} is not shown to be better than {baselines} in every figure."
        yield Finding(Level.LOOK, text, f"model-{model.model}")


def _of_delivery(facts: ReportFacts) -> Iterator[Finding]:
    if facts.delivery is None:
        return
    dead = facts.delivery.states.get("DEAD", 0)
    if dead:
        yield Finding(Level.LOOK, f"{count(dead, 'result')} could not be delivered and wait for a person.", "delivery")
    doubtful = sum(facts.delivery.states.get(state, 0) for state in ("UNKNOWN", "VERIFY"))
    if doubtful:
        yield Finding(Level.LOOK, f"{count(doubtful, 'result')} sent without an answer, to be verified.", "delivery")
    waiting = sum(facts.delivery.states.get(state, 0) for state in ("PENDING", "RETRY", "LEASED"))
    if waiting:
        yield Finding(Level.NOTE, f"{count(waiting, 'result')} still to be delivered.", "delivery")
    if facts.delivery.last.get("stopped"):
        text = f"the last delivery stopped: {facts.delivery.last['stopped']}."
        yield Finding(Level.LOOK, text, "delivery")
