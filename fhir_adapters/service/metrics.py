"""What the service counts, for Prometheus. No label says anything about a patient."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)
BATCH = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        names = ["what", "status"]
        self.requests = Counter("passerelle_requests", "Requests answered.", names, registry=self.registry)
        self.seconds = Histogram(
            "passerelle_request_seconds", "Time to answer.", ["what"], buckets=SECONDS, registry=self.registry
        )
        self.batches = Histogram(
            "passerelle_review_batch", "Orders reviewed together.", buckets=BATCH, registry=self.registry
        )
        self.cards = Counter("passerelle_cards", "Cards shown.", ["hook"], registry=self.registry)
        self.over_budget = Counter(
            "passerelle_over_budget", "Hooks answered without cards: no time left.", ["hook"], registry=self.registry
        )
        self.feedback = Counter("passerelle_feedback", "Feedback about cards.", ["outcome"], registry=self.registry)

    def text(self) -> bytes:
        """As Prometheus reads it."""
        return generate_latest(self.registry)
