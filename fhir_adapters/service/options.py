"""What a hospital may decide about its service."""

from dataclasses import dataclass, field

from fhir_adapters.site import Site


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """Limits of the service. The defaults suit one hospital."""

    base_url: str  # as clients call it: the audience of their tokens begins with it
    site: Site = field(default_factory=Site)
    demo: bool = False  # no client is asked who it is; patients live in the past
    targets: tuple[str, ...] = ("default",)  # of the outbox: the servers that get what is signed
    budget_s: float = 1.0  # of a hook: then the answer is no card
    max_body_bytes: int = 2_000_000
    requests_a_minute: int = 6_000  # of one client

    @property
    def fhir_base(self) -> str:
        """Base URL of the FHIR API."""
        return f"{self.base_url}/fhir"
