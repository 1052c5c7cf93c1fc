"""The patients of a target: each is looked up once a delivery, many in one search, and never in a URL."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from fhir_adapters.delivery.search import any_of, token
from fhir_adapters.delivery.target import Target
from fhir_adapters.identities import Named, identity_of, patient_named
from fhir_adapters.reidentifier import IdentityNotFound, PatientIdentity, Reidentifier

Token = tuple[str, str]  # system and value of an identifier
AT_ONCE = 50  # identifiers in one search


class SeveralPatients(Exception):
    """The target has more than one patient for an identifier: a person must decide, not we."""


class SearchRefused(Exception):
    """The target did not answer the search for a patient."""


class Patients:
    """References to patients, as one target knows them."""

    def __init__(self, reidentifier: Reidentifier, target: Target, *, search: bool) -> None:
        self._reidentifier, self._target, self._search = reidentifier, target, search
        self._identities: dict[int, PatientIdentity] = {}
        self._ids: dict[Token, set[str]] = {}  # of the target's Patients, by identifier

    def prepare(self, wanted: Mapping[int, str]) -> None:
        """Look several persons up together; whoever is not found here is looked up alone when its turn comes.

        Args:
            wanted: person row → key of the prediction for which it is opened.
        """
        identities = []
        for person_id, key in wanted.items():
            try:
                identities.append(self._identity(person_id, key))
            except IdentityNotFound:
                continue  # told when its item is resolved
        ours = [one for one in identities if one.reference is None]
        if self._search and len(ours) > 1:
            self._look_up(_token(one.identifiers[0]) for one in ours)

    def named(self, person_id: int, key: str) -> Named:
        """The reference to a person.

        Raises:
            IdentityNotFound: nobody knows the patient.
            SeveralPatients: the target knows the patient more than once.
            SearchRefused: the target does not say.
        """
        identity = self._identity(person_id, key)
        return patient_named(identity, identity.reference or self._literal(identity))

    def _identity(self, person_id: int, key: str) -> PatientIdentity:
        if person_id not in self._identities:
            reason, looked = f"FHIR delivery of prediction {key}", f"prediction {key}"
            self._identities[person_id] = identity_of(self._reidentifier, person_id, reason=reason, looked=looked)
        return self._identities[person_id]

    def _literal(self, identity: PatientIdentity) -> str | None:
        """The target's own Patient; None when it has none or cannot say, and the identifier alone must do."""
        for identifier in identity.identifiers if self._search else ():
            wanted = _token(identifier)
            if wanted not in self._ids:
                self._look_up([wanted])
            ids = self._ids[wanted]
            if len(ids) > 1:
                raise SeveralPatients("the target has several patients with this identifier")
            if ids:
                return f"Patient/{next(iter(ids))}"
        return None

    def _look_up(self, tokens: Iterable[Token]) -> None:
        wanted = [one for one in dict.fromkeys(tokens) if one not in self._ids]
        for start in range(0, len(wanted), AT_ONCE):
            self._ids |= self._found(wanted[start : start + AT_ONCE])

    def _found(self, tokens: list[Token]) -> dict[Token, set[str]]:
        listed = any_of(token({"system": system, "value": value}) for system, value in tokens)
        asked = {"identifier": listed, "_elements": "id,identifier", "_count": str(2 * len(tokens))}
        reply = self._target.search_in_body("Patient", asked)
        if reply.status == 429 or reply.status >= 500:
            raise SearchRefused(f"the search for a patient was answered with {reply.status}")
        if reply.status != 200:  # it does not search like that, or not for us: the identifier alone must do
            self._search = False
            return {one: set() for one in tokens}
        found: dict[Token, set[str]] = defaultdict(set)
        for patient in reply.resources:
            ours = [_token(i) for i in patient.get("identifier", ()) if isinstance(i, dict)]
            # One identifier was asked for, so whatever comes back has it, whether it says so or not.
            for one in tokens if len(tokens) == 1 else ours:
                found[one].add(str(patient.get("id")))
        return {one: found[one] for one in tokens}


def _token(identifier: Mapping[str, object]) -> Token:
    return str(identifier.get("system", "")), str(identifier.get("value", ""))
