"""What becomes of a card once it was shown: written in the outbox, judged by feedback. Nobody waits for it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from fhir_adapters.cds_hooks.feedback import Decision
from fhir_adapters.outbox import Outbox
from fhir_adapters.service.background import Background
from fhir_adapters.service.shown import Shown, ShownCard
from fhir_adapters.site import Site
from models.contract import Prediction

REST_S = 1.0  # more come together, and are written together
BREATH_S, PORTION = 0.05, 10
WHY = "Décision d'un professionnel devant l'alerte, au moment de la prescription."


@dataclass(frozen=True, slots=True)
class Signed:
    """Findings that were shown while an order was signed."""

    predictions: tuple[Prediction, ...]


Entry = Signed | ShownCard | Decision


class Journal:
    """The writer of the outbox and of the memory of cards, in the order in which things happened."""

    def __init__(self, outbox: Outbox, shown: Shown, targets: Sequence[str], site: Site) -> None:
        self._outbox, self._shown, self._targets, self._site = outbox, shown, targets, site
        self.background: Background[Entry] = Background("journal", self._write, rest_s=REST_S)

    def put(self, entry: Entry) -> bool:
        """Write this soon; False when it cannot be taken."""
        return self.background.put(entry)

    def _write(self, entries: Sequence[Entry]) -> None:
        """Again does no harm: the outbox knows what it has."""
        self._shown.write([entry for entry in entries if isinstance(entry, ShownCard)])
        waiting: dict[str, Prediction] = {}
        for entry in entries:
            if isinstance(entry, Signed):
                waiting |= {one.prediction_id: one for one in entry.predictions}
            elif isinstance(entry, Decision):
                self._enqueue(waiting)
                self._outbox.mitigate(entry.prediction_id, entry.mitigation, WHY, site=self._site)
        self._enqueue(waiting)

    def _enqueue(self, waiting: dict[str, Prediction]) -> None:
        """A few at a time, with a rest: building and checking them must not hold up those who wait for an answer."""
        predictions = list(waiting.values())
        for start in range(0, len(predictions), PORTION):
            self._outbox.enqueue(predictions[start : start + PORTION], *self._targets, site=self._site)
            time.sleep(BREATH_S)
        waiting.clear()
