"""The paths of tables over FHIR: what each gives on a resource, and what is refused."""

import pytest

from etl.readers.fhir_paths import Scope, compile_path

GLUCOSE = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "code": {
        "coding": [
            {"system": "http://loinc.org", "code": "2339-0", "display": "Glucose"},
            {"system": "urn:oid:1.2.3", "code": "GLU", "userSelected": True},
        ]
    },
    "subject": {"reference": "Patient/p1"},
    "encounter": {"reference": "https://chu.example/fhir/Encounter/e1/_history/3"},
    "performer": [{"reference": "#lab"}, {"display": "a laboratory"}],
    "contained": [{"resourceType": "Organization", "id": "lab", "name": "Laboratory"}],
    "valueQuantity": {"value": "5.50", "unit": "mmol/L"},
    "effectiveDateTime": "2024-03-31T02:30:00+02:00",
    "extension": [{"url": "urn:fasting", "valueBoolean": True}, {"url": "urn:other", "valueString": "x"}],
    "category": [{"coding": [{"code": "laboratory"}]}, {"coding": [{"code": "urgent"}]}],
    "bodySite": {"coding": [{"code": "L"}, {"code": "R"}]},
}
GIVES = {
    "id": ["o1"],
    "getResourceKey()": ["o1"],
    "code.coding.code": ["2339-0", "GLU"],
    "code.coding.first().display": ["Glucose"],
    "code.coding[1].code": ["GLU"],
    "code.coding[2].code": [],
    "code.coding.last().code": ["GLU"],
    "code.coding.where(system='http://loinc.org').code": ["2339-0"],
    "code.coding.where(system = 'http://loinc.org' and code != '2339-0').code": [],
    "code.coding.where(code = 'X' or userSelected = true).code": ["GLU"],
    "code.coding.byPreference().first().code": ["GLU"],
    "subject.getReferenceKey()": ["p1"],
    "subject.getReferenceKey(Patient)": ["p1"],
    "subject.getReferenceKey(Group)": [],
    "encounter.getReferenceKey(Encounter)": ["e1"],
    "performer.getReferenceKey()": ["o1#lab"],
    "contained.ofType(Organization).getResourceKey()": ["o1#lab"],
    "contained.ofType(Patient)": [],
    "value.ofType(Quantity).value": ["5.50"],
    "value.ofType(string)": [],
    "value.exists()": [True],
    "effective": ["2024-03-31T02:30:00+02:00"],
    "effective.ofType(dateTime)": ["2024-03-31T02:30:00+02:00"],
    "effective.ofType(dateTime).toDate()": ["2024-03-31"],
    "extension('urn:fasting').value.ofType(boolean)": [True],
    "extension('urn:none').value": [],
    "category.coding.code.join('|')": ["laboratory|urgent"],
    "category.exists(coding.code = 'urgent')": [True],
    "dataAbsentReason.empty()": [True],
    "(status = 'final').not()": [False],
    "encounter.reference.startsWith('https:')": [True],
    "%resource.id": ["o1"],
    "%rowIndex": [0],
    "bodySite.coding.where($this.code = 'R').code": ["R"],
    "missing.of.every.kind": [],
}


@pytest.mark.parametrize("path", GIVES)
def test_a_path_gives_what_fhirpath_says(path):
    assert compile_path(path)([GLUCOSE], Scope(GLUCOSE)) == GIVES[path]


@pytest.mark.parametrize(
    ("reference", "key"),
    [
        ("Patient/p1", "p1"),
        ("https://chu.example/fhir/Patient/p1", "p1"),
        ("urn:uuid:0a8eebfd-a352-522e-89f0-1d4a13abdebc", "0a8eebfd-a352-522e-89f0-1d4a13abdebc"),
        ("urn:uuid:in-this-bundle", "p9"),  # the Bundle says which resource that is
        ("Patient?identifier=urn:oid:1.2|7", None),  # a search, not a key
        ("#c1", "o1#c1"),
        ("Patient", None),
    ],
)
def test_every_form_of_a_reference_leads_to_the_id(reference, key):
    resource = {"id": "o1", "subject": {"reference": reference}}
    scope = Scope(resource, {"urn:uuid:in-this-bundle": "p9"})
    assert compile_path("subject.getReferenceKey()")([resource], scope) == ([] if key is None else [key])


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "nothing"),
        ("code.coding.", "more is expected after code . coding ."),
        ("code.coding[first]", "`[first]` is no index"),
        ("code.memberOf('http://vs')", "there is no function memberOf()"),
        ("code | category", "'|' is not understood"),
        ("valueQuantity.value", "write `value.ofType(Quantity)` instead of `valueQuantity`"),
        ("Observation.code", "leave out `Observation`"),
        ("%patient.id", "`%patient` is not known"),
        ("extension(url)", "extension() does not take `url`"),
        ("where()", "where() takes an argument"),
        ("code.coding.where(code='x'", ") is expected"),
        ("code coding", "`coding` is not expected there"),
        ("'unclosed", "is not understood"),
    ],
)
def test_a_path_beyond_the_subset_is_refused_with_what_is_wrong(path, said):
    with pytest.raises(ValueError) as refused:
        compile_path(path)
    assert said in str(refused.value)
    assert "known functions: byPreference" in str(refused.value)
