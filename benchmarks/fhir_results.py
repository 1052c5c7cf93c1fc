"""Predictions to FHIR: build, check and put in the outbox."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.figures import Figure, seconds
from fhir_adapters.build import build
from fhir_adapters.outbox import open_outbox
from models.contract import Contribution, Evidence, Prediction

COUNT = 500
COMMAND = "python -m benchmarks fhir_results"
START = datetime(2025, 3, 3, 8, tzinfo=UTC)


def measure(folder: Path) -> Iterator[Figure]:
    """A batch of dose alerts; the second time nothing is new."""
    batch = [_prediction(number) for number in range(COUNT)]
    built = seconds(lambda: [build(prediction) for prediction in batch])
    outbox = open_outbox(folder / "outbox.sqlite")
    first = seconds(lambda: outbox.enqueue(batch), runs=1)
    again = seconds(lambda: outbox.enqueue(batch), runs=1)
    outbox.close()
    yield Figure("predictions built as FHIR R4", COUNT / built, "predictions/s", "three resources each", "make bench")
    yield Figure(
        "predictions checked and put in the outbox", COUNT / first, "predictions/s", "one transaction", "make bench"
    )
    yield Figure(
        "the same again, nothing new", COUNT / again, "predictions/s", f"first {COUNT / first:,.3g}", "make bench"
    )


def _prediction(number: int) -> Prediction:
    return Prediction(
        model="prescription_review", model_version="0.1.0", person_id=number + 1, occasion=f"drug_exposure:{number}",
        index_time=START, valid_from=START, valid_until=START + timedelta(days=3), category="DOSEH", probability=0.63,
        severity="high", message="Posologie supérieure à la dose maximale.", view_contract="v1", snapshot_id="none",
        model_sha256="0" * 64, contributions=(Contribution("dose", "dose par jour", 4.0, 1.2),),
        evidence=(Evidence("drug_exposure", number + 1, "paracétamol 6 g par jour"),),
    )  # fmt: skip
