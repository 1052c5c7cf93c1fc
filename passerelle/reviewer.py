"""The model of prescription review in a process of its own: while it computes, the service goes on listening."""

import gc
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING

from passerelle.settings import Settings

if TYPE_CHECKING:
    from fhir_adapters.service.reviewer import Question
    from models.contract import Prediction
    from models.prescription_review.review import OrderReview


@dataclass(frozen=True, slots=True)
class ModelReviewer:
    """The model as the service asks it."""

    orders: "OrderReview"

    @classmethod
    def load(cls, settings: Settings, on: str | None) -> "ModelReviewer":
        """The newest model of a workspace beside its views, or those of a database."""
        from models.prescription_review.review import OrderReview
        from passerelle.predictions import open_store, own_knowledge, tracking_uri

        site = own_knowledge(settings, "prescription_review")
        return cls(OrderReview(lambda: open_store(settings, on), tracking_uri(settings), site=site))

    @property
    def snapshot_id(self) -> str:
        """Which publication of the views is read."""
        return self.orders.snapshot_id

    @property
    def model(self) -> str:
        """Name and version."""
        names = self.orders.model.names
        return f"{names['model']} {names['model_version']}"

    def review(self, questions: "Sequence[Question]") -> "list[list[Prediction]]":
        """The findings to be shown for each question."""
        from models.prescription_review.review import Asked

        return self.orders.review([Asked(q.person_id, q.at, q.drafts, q.fresh) for q in questions])


class ReviewerApart:
    """The same, elsewhere. A process that was killed is started again at the next question.

    Raises: what loading the model or opening the views raises.
    """

    def __init__(self, settings: Settings, on: str | None) -> None:
        self._settings, self._on = settings, on
        self._start()

    def review(self, questions: "Sequence[Question]") -> "list[list[Prediction]]":
        """The findings to be shown for each question."""
        try:
            found, self.snapshot_id = self._process.submit(_review, questions).result()
        except BrokenProcessPool:
            self._start()
            found, self.snapshot_id = self._process.submit(_review, questions).result()
        return found

    def close(self) -> None:
        """Let the process end."""
        self._process.shutdown(cancel_futures=True)

    def _start(self) -> None:
        fresh = multiprocessing.get_context("spawn")  # a copy of a program with threads may hang
        self._process = ProcessPoolExecutor(1, fresh, _begin)
        try:
            self.model, self.snapshot_id = self._process.submit(_load, self._settings, self._on).result()
        except BaseException:
            self.close()
            raise


_here: list[ModelReviewer] = []  # of the process apart: the one that it serves


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which then ends this process
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _load(settings: Settings, on: str | None) -> tuple[str, str]:
    _here.append(ModelReviewer.load(settings, on))
    spare_garbage_collection()
    return _here[0].model, _here[0].snapshot_id


def spare_garbage_collection() -> None:
    """What is loaded by now stays: looking through it for garbage took a tenth of a second, again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _review(questions: "Sequence[Question]") -> "tuple[list[list[Prediction]], str]":
    return _here[0].review(questions), _here[0].snapshot_id
