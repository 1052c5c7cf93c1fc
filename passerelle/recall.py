"""Recall of a model version: withdraw in the outbox, deliver, prove by reading every target back."""

from typing import Any

from passerelle.delivery import Progress, declaration_of, deliver_outbox, look_at_targets, outbox_of
from passerelle.settings import Settings


def recall(settings: Settings, model: str, version: str, reason: str, progress: Progress) -> dict[str, Any]:
    """Withdraw every output of a model version at every target, and prove it. Interrupted: call it again.

    Args:
        reason: French; clinicians read it in the place of the result.
    Returns: what was done in the outbox, the delivery, and the proof by target; ``ok`` when nothing of it is live.
    """
    declared = declaration_of(settings)
    with outbox_of(settings) as outbox:
        done = outbox.recall(model, version, reason, site=declared.site)
    progress(f"{done.retractions} results to withdraw, {done.cancelled} that waited are not sent")
    delivered = deliver_outbox(settings, progress)
    proof = prove(settings, model, version)
    return {
        "model": model, "version": version, "predictions": done.predictions, "new_retractions": done.retractions,
        "cancelled": done.cancelled, "delivery": delivered, "proof": proof,
        "ok": all(one["ok"] for one in proof.values()),
    }  # fmt: skip


def plan(settings: Settings, model: str, version: str, reason: str) -> dict[str, Any]:
    """What a recall would do; nothing is written."""
    with outbox_of(settings) as outbox:
        done = outbox.recall(model, version, reason, site=declaration_of(settings).site, dry_run=True)
    return {
        "model": model, "version": version, "predictions": done.predictions, "new_retractions": done.retractions,
        "cancelled": done.cancelled,
    }  # fmt: skip


def prove(settings: Settings, model: str, version: str) -> dict[str, Any]:
    """What each target is seen to hold of a recalled version; kept in the outbox."""
    from fhir_adapters.delivery.recall_proof import prove_recall

    proof = look_at_targets(
        settings, None,
        lambda outbox, server, name, declared: prove_recall(
            outbox, server, model, version, target=name, options=declared.options
        ).as_json(),
    )  # fmt: skip
    with outbox_of(settings) as outbox:
        outbox.recall_proved(model, version, proof)
    return proof
