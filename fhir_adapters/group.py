"""Group: the people whom a forecast is about together; a description, nobody in particular."""

from typing import Any

from fhir_adapters.cases import ICD10
from fhir_adapters.device import organization
from fhir_adapters.french import clean, narrative
from fhir_adapters.identifiers import resource_id
from fhir_adapters.marking import meta
from fhir_adapters.placeholder import row_reference
from fhir_adapters.site import Site
from models.contract import Cohort, Evidence

Json = dict[str, Any]


def group(cohort: Cohort, site: Site) -> Json:
    """The Group of a cohort; the same for all its forecasts.

    ``actual`` is false: it says which patients belong to it, and lists none.
    """
    return {
        "resourceType": "Group",
        "id": resource_id("Group", cohort.cohort_id),
        "meta": meta("Group"),
        "language": "fr-FR",
        "text": narrative([f"{clean(cohort.label)}. Groupe décrit par ses critères, sans liste de patients."], []),
        "identifier": [{"system": site.cohort_system, "value": cohort.cohort_id.replace("|", "-")}],
        "active": True,
        "type": "person",
        "actual": False,
        "name": clean(cohort.label),
        "managingEntity": organization(site),
        "characteristic": [*_diagnoses(cohort), *_place(cohort, site)],
    }


def group_reference(cohort: Cohort) -> Json:
    """Literal reference to the Group."""
    id_ = resource_id("Group", cohort.cohort_id)
    return {"reference": f"Group/{id_}", "type": "Group", "display": clean(cohort.label)}


def _diagnoses(cohort: Cohort) -> list[Json]:
    meant = [{"coding": [{"system": ICD10, "code": code}]} for code in cohort.icd10]
    return [_characteristic("diagnostic principal", {"valueCodeableConcept": one}) for one in meant]


def _place(cohort: Cohort, site: Site) -> list[Json]:
    if cohort.care_site_id is None:
        return []
    where = row_reference(Evidence("care_site", cohort.care_site_id), site)
    return [_characteristic("lieu de prise en charge", {"valueReference": where})]


def _characteristic(what: str, value: Json) -> Json:
    return {"code": {"text": what}} | value | {"exclude": False}
