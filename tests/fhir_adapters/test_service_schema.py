"""Whatever is sent, within the description of the service or not: it never breaks down, and says what it announced."""

import contextlib

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks

from fhir_adapters.example_predictions import HANDWRITING, RENAL_DOSE, RESPIRATORY_PEAKS, SEPSIS_STEROIDS
from tests.fhir_adapters.service_helpers import access, free_port, listening, service

HELD = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
FEW = settings(
    max_examples=8, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo, where no token is in the way of what is to be tried."""
    with running(tmp_path_factory.mktemp("demo"), demo=True) as schema:
        yield schema


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A service that asks for tokens."""
    with running(tmp_path_factory.mktemp("guarded")) as schema:
        yield schema


@contextlib.contextmanager
def running(folder, **options):
    with free_port() as (listener, url), service(folder, base_url=url, requests_a_minute=10_000_000, **options) as made:
        made.outbox.enqueue([RENAL_DOSE, SEPSIS_STEROIDS, RESPIRATORY_PEAKS, HANDWRITING])
        with listening(made.app, listener):
            yield schemathesis.openapi.from_url(f"{url}/openapi.json")


def try_everything(schema, only=""):
    """Each operation with what its description allows, and with what it does not."""
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.startswith(only or "/"):
            for mode in GenerationMode:
                cases = operation.as_strategy(generation_mode=mode)
                with contextlib.suppress(Unsatisfiable):  # what takes nothing cannot be sent anything wrong
                    FEW(given(case=cases)(call))()
                    tried += 1
    return tried


def call(case):
    case.call_and_validate(checks=HELD)


def test_a_demo_never_breaks_down(demo):
    assert try_everything(demo) > 60


def test_a_service_that_asks_for_tokens_never_breaks_down(guarded):
    assert try_everything(guarded, "/cds-services") > 10
    assert try_everything(guarded, "/fhir/DetectedIssue") == 10


def test_every_route_describes_what_it_may_answer(tmp_path):
    with service(tmp_path) as made, made.client(**access()) as client:
        described = client.get("/openapi.json").json()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            answers = set(operation["responses"])
            guarded = path.startswith("/fhir/") and path != "/fhir/metadata"
            assert answers - {"200"} or path in ("/health", "/metrics", "/fhir/metadata", "/cds-services"), path
            assert not guarded or {"401", "403", "404", "429"} <= answers, (method, path)
