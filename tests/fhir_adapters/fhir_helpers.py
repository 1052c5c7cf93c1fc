"""What the tests of delivery share: predictions, a hospital that knows its patients, the sandbox as a test sees it."""

from dataclasses import dataclass, field, replace

import httpx

from fhir_adapters.delivery import DeliveryOptions
from fhir_adapters.example_predictions import RENAL_DOSE
from fhir_adapters.reidentifier import IdentityNotFound, Origin, PatientIdentity
from models.contract import Evidence

FAST = DeliveryOptions(
    timeout_s=2.0, backoff_base_s=0.002, backoff_cap_s=0.02, verify_after_s=0.002, wait_s=20.0, breaker_pause_s=0.02
)


def prediction(line=1, **changes):
    """A prediction about one order; another line is another patient."""
    facts = {
        "person_id": 1000 + line,
        "occasion": f"drug_exposure:{5000 + line}",
        "valid_until": None,
        "evidence": (Evidence("drug_exposure", 5000 + line, "dabigatran"), Evidence("measurement", 7000 + line, "")),
    }
    return replace(RENAL_DOSE, **(facts | changes))


@dataclass
class Hospital:
    """The way back to invented patients; remembers who asked."""

    ipp: str = "IPPSECRET{}"
    ins: str | None = None
    hidden: tuple[str, ...] = ()
    reference: str | None = None
    unknown: frozenset[int] = frozenset()
    origins: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)

    def identify(self, person_id, reason):
        self.asked.append((person_id, reason))
        if person_id in self.unknown:
            raise IdentityNotFound("nobody")
        ipp = self.ipp.format(person_id)
        return PatientIdentity(ipp, "urn:oid:1.2.250.1.999", self.ins, reference=self.reference, hidden=self.hidden)

    def encounter(self, visit_occurrence_id):
        return None

    def origin(self, table, row_id):
        return self.origins.get((table, row_id), Origin())


# One for all: making one takes longer than a test. It only looks on: a machine at work beside it is no failure.
CLIENT = httpx.Client(trust_env=False, verify=False, timeout=60.0)


@dataclass
class Server:
    """The sandbox as a test sees it."""

    url: str

    def reset(self):
        CLIENT.post(self.root + "/sandbox/reset")

    @property
    def root(self):
        return self.url.removesuffix("/fhir")

    def fail(self, *kinds, **facts):
        """The next writes fail like this, one fault after the other."""
        wanted = [{"kind": kind} | facts for kind in kinds]
        assert CLIENT.post(self.root + "/sandbox/faults", json=wanted).status_code == 200

    def fail_by_chance(self, seed, rate, kinds, **facts):
        """Writes fail at random, the same way for the same seed, until the server is healed."""
        wanted = {"seed": seed, "rate": rate, "kinds": kinds} | facts
        assert CLIENT.post(self.root + "/sandbox/faults", json=wanted).status_code == 200

    def faults_done(self):
        """How often each fault was met."""
        return CLIENT.get(self.root + "/sandbox/faults").json()["done"]

    def heal(self):
        CLIENT.delete(self.root + "/sandbox/faults")

    def all(self, kind):
        bundle = CLIENT.get(f"{self.url}/{kind}", params={"_count": "1000"}).json()
        return [entry["resource"] for entry in bundle.get("entry", ())]

    def put(self, resource):
        reply = CLIENT.put(f"{self.url}/{resource['resourceType']}/{resource['id']}", json=resource)
        assert reply.status_code in (200, 201), reply.text
        return reply

    def versions(self, kind="DetectedIssue"):
        return {r["id"]: r["meta"]["versionId"] for r in self.all(kind)}
