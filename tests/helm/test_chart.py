"""The chart renders with the real helm, is safe by default, and refuses values that it does not know."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

KUBERNETES = "1.33.0"
CHART = Path("helm/passerelle")
HOSPITAL = CHART / "ci" / "hospital-values.yaml"
KINDS = {"CronJob", "NetworkPolicy", "PersistentVolumeClaim", "ServiceAccount"}


def run(helm, repository, verb, *words):
    command = [helm, *verb.split(), str(CHART), "--kube-version", KUBERNETES, "--values", str(HOSPITAL), *words]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def render(helm, repository):
    def render(*words):
        answer = run(helm, repository, "template night", *words)
        assert answer.returncode == 0, answer.stderr
        return {item["kind"]: item for item in yaml.safe_load_all(answer.stdout) if item}

    return render


@pytest.fixture(scope="module")
def objects(render):
    return render()


@pytest.fixture(scope="module")
def pod(objects):
    return objects["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]


def test_lint_is_strict_and_clean(helm, repository):
    answer = run(helm, repository, "lint --strict")
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_the_chart_makes_exactly_these_objects(objects):
    assert set(objects) == KINDS


@pytest.mark.helm
def test_every_object_fits_the_schema_of_kubernetes(objects):
    validator = pytest.importorskip("kubernetes_validate", reason="the Kubernetes schemas are not installed")
    for item in objects.values():
        validator.validate(item, KUBERNETES.rsplit(".", 1)[0], strict=True)


def test_the_pod_has_no_right_it_does_not_need(pod):
    spec = pod["spec"]
    (container,) = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_image_is_named_by_its_digest(pod):
    assert re.search(r"@sha256:[0-9a-f]{64}$", pod["spec"]["containers"][0]["image"])


def test_requests_and_a_memory_limit_are_always_there(pod):
    resources = pod["spec"]["containers"][0]["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert "memory" in resources["limits"]


def test_nights_never_overlap_and_a_usage_error_is_not_tried_again(objects):
    spec = objects["CronJob"]["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["timeZone"] == "Europe/Paris"
    rules = spec["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert {"containerName": "run", "operator": "In", "values": [2]} in [rule.get("onExitCodes") for rule in rules]


def test_the_network_policy_is_about_this_pod_and_denies_first(objects, pod):
    policy = objects["NetworkPolicy"]["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == []
    blocks = [to["ipBlock"]["cidr"] for rule in policy["egress"] for to in rule["to"] if "ipBlock" in to]
    assert blocks == ["192.0.2.10/32"]


def test_the_workspace_outlives_the_release(objects, render):
    assert objects["PersistentVolumeClaim"]["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    mine = render("--set", "workspace.existingClaim=mine")
    assert set(mine) == KINDS - {"PersistentVolumeClaim"}
    volumes = mine["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["volumes"]
    assert volumes[0]["persistentVolumeClaim"] == {"claimName": "mine"}


def test_files_arrive_on_a_claim_that_is_read_only(render):
    spec = render("--set", "incoming.existingClaim=files,input=/incoming/tonight")["CronJob"]["spec"]
    container = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    assert "--input=/incoming/tonight" in container["args"]
    assert {"name": "incoming", "mountPath": "/incoming", "readOnly": True} in container["volumeMounts"]


def test_two_releases_have_no_name_in_common(helm, repository, objects):
    other = run(helm, repository, "template evening").stdout
    names = {item["metadata"]["name"] for item in objects.values()}
    assert not names & {item["metadata"]["name"] for item in yaml.safe_load_all(other) if item}


@pytest.mark.parametrize(
    "values",
    [
        "sourse=chu_demo",
        "image.tag=latest",
        "image.digest=latest",
        "engine=local[2]",
        "settings.PASSERELLE_SOURCE_DSN=postgresql://secret",
        "existingSecret=",
    ],
)
def test_unknown_and_unsafe_values_are_refused(helm, repository, values):
    answer = run(helm, repository, "template night", "--set", values)
    assert answer.returncode != 0
    assert values.split("=")[0].split(".")[-1] in answer.stderr


def test_every_setting_that_the_chart_gives_exists(pod):
    from passerelle.settings import Settings

    names = [item["name"] for item in pod["spec"]["containers"][0]["env"]]
    given = {name.removeprefix("PASSERELLE_").lower() for name in names if name.startswith("PASSERELLE_")}
    assert given and given <= set(Settings.model_fields)


def test_schema_and_values_have_the_same_keys(repository):
    schema = json.loads((repository / CHART / "values.schema.json").read_text())
    values = yaml.safe_load((repository / CHART / "values.yaml").read_text())
    assert set(keys_of_schema(schema)) - {"global"} == set(keys_of_values(values))


def keys_of_schema(schema, above=""):
    for name, part in schema.get("properties", {}).items():
        yield above + name
        yield from keys_of_schema(part, f"{above}{name}.")


def keys_of_values(values, above=""):
    for name, part in values.items():
        yield above + name
        # What Kubernetes defines (resources, labels) is not described twice.
        if isinstance(part, dict) and name not in ("requests", "limits"):
            yield from keys_of_values(part, f"{above}{name}.")
