"""One small hospital and one trained model for all tests of the models."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from models.prescription_review.report import TrainReport
from tests.models.hospital_views import TableStore, generate


@dataclass(frozen=True)
class TrainedHospital:
    """A store, the registry its model is in, and the report of the training."""

    store: TableStore
    tracking_uri: str
    report: TrainReport


@pytest.fixture(scope="session")
def hospital() -> TableStore:
    return generate()


@pytest.fixture(scope="session")
def trained(hospital: TableStore, tmp_path_factory: pytest.TempPathFactory) -> TrainedHospital:
    from models.prescription_review.train import train

    uri = f"sqlite:///{tmp_path_factory.mktemp('mlruns')}/mlflow.db"
    return TrainedHospital(hospital, uri, train(hospital, tracking_uri=uri))


@pytest.fixture
def advice(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """What a model warned of until now, one line a warning. What other libraries log is not its advice."""

    def told() -> str:
        ours = (one for one in caplog.records if one.name.startswith("models.") and one.levelno >= logging.WARNING)
        return "\n".join(one.getMessage() for one in ours)

    return told
