"""deploy/kubernetes: valid for Kubernetes and KEDA, and in step with the program.

Read as kustomize would; nothing is run, for no cluster is at hand.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from contracts.messages import NOTICES_PATH
from service import settings
from service.broker.topology import WORK_QUEUES
from service.settings import Settings
from service.telemetry.endpoints import health_routes, nothing_wrong
from tests.support.deployments import HEALTH_PORT, SECRET_SETTINGS, make_secrets, secrets_of
from tests.support.repository import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
PACKAGE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
OBJECTS: list[dict[str, Any]] = [
    form
    for name in KUSTOMIZATION["resources"]
    for form in yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8"))
]
OLDEST, NEWEST = "1.29.0", "1.37.0"
OF_KEDA: Mapping[str, Any] = {
    "TriggerAuthentication": {
        "required": ["secretTargetRef"],
        "additionalProperties": False,
        "properties": {
            "secretTargetRef": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["parameter", "name", "key"],
                    "additionalProperties": False,
                    "properties": {one: {"type": "string"} for one in ("parameter", "name", "key")},
                },
            }
        },
    },
    "ScaledObject": {
        "required": ["scaleTargetRef", "triggers"],
        "additionalProperties": False,
        "properties": {
            "scaleTargetRef": {"type": "object", "required": ["name"], "maxProperties": 1},
            "minReplicaCount": {"type": "integer", "minimum": 1},
            "maxReplicaCount": {"type": "integer", "minimum": 1},
            "pollingInterval": {"type": "integer"},
            "cooldownPeriod": {"type": "integer"},
            "advanced": {"type": "object", "required": ["horizontalPodAutoscalerConfig"]},
            "triggers": {
                "type": "array",
                "minItems": 1,
                "maxItems": 1,
                "items": {
                    "type": "object",
                    "required": ["type", "metadata", "authenticationRef"],
                    "additionalProperties": False,
                    "properties": {
                        "type": {"const": "rabbitmq"},
                        "authenticationRef": {"type": "object", "required": ["name"], "maxProperties": 1},
                        "metadata": {
                            "type": "object",
                            "required": ["protocol", "queueName", "mode", "value"],
                            "additionalProperties": False,
                            "properties": {
                                "protocol": {"enum": ["amqp", "http"]},
                                "queueName": {"type": "string"},
                                "mode": {"enum": ["QueueLength", "MessageRate"]},
                                "value": {"type": "string", "pattern": r"^\d+$"},
                            },
                        },
                    },
                },
            },
        },
    },
}
"""What is used of KEDA's kinds, as its documentation states them; of Kubernetes' own kinds all is known."""


def of_kind(*kinds: str) -> dict[str, dict[str, Any]]:
    return {form["metadata"]["name"]: form for form in OBJECTS if form["kind"] in kinds}


WORKLOADS = of_kind("Deployment", "Job")
LASTING = of_kind("Deployment")
PODS = {name: form["spec"]["template"] for name, form in WORKLOADS.items()}
SETTINGS_FILE = dict(
    line.split("=", 1)
    for line in (FOLDER / "settings.env").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)
GENERATED = {
    each["name"]: dict(one.split("=") for one in each["files"]) for each in KUSTOMIZATION["secretGenerator"]
}
"""The files of each secret, by the setting."""


def containers() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each with its workload's name."""
    for name, pod in PODS.items():
        spec = pod["spec"]
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            yield name, container


CONTAINERS = {container["name"]: (name, container) for name, container in containers()}


def secrets_mounted(name: str) -> set[str]:
    """The secrets of a container, by their objects' names."""
    workload, container = CONTAINERS[name]
    volumes = {volume["name"]: volume for volume in PODS[workload]["spec"]["volumes"]}
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    mount = mounts[SETTINGS_FILE["CALENDAR_SYNC_SECRETS_DIR"]]
    assert mount["readOnly"]
    return {one["secret"]["name"] for one in volumes[mount["name"]]["projected"]["sources"]}


def selected(selector: Mapping[str, Any]) -> set[str]:
    """The workloads whose pods have these labels."""
    wanted = selector.get("matchLabels", {}).items()
    among = {each["key"]: set(each["values"]) for each in selector.get("matchExpressions", ())}
    labels = {name: pod["metadata"]["labels"] for name, pod in PODS.items()}
    return {
        name
        for name, own in labels.items()
        if wanted <= own.items() and all(own.get(key) in values for key, values in among.items())
    }


def ports_of(name: str) -> dict[str, int]:
    listed = [each.get("ports", ()) for each in PODS[name]["spec"]["containers"]]
    return {port["name"]: port["containerPort"] for ports in listed for port in ports}


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("form", OBJECTS, ids=lambda form: f"{form['kind']} {form['metadata']['name']}")
def test_kubernetes_and_keda_know_every_field(form: dict[str, Any], version: str) -> None:
    """By Kubernetes' own schemas, of the oldest and the newest version that is meant."""
    if form["apiVersion"] != "keda.sh/v1alpha1":
        kubernetes_validate.validate(form, version, strict=True)
    else:
        jsonschema.validate(form["spec"], OF_KEDA[form["kind"]])


def test_the_schemas_refuse_a_field_that_is_not_there() -> None:
    wrong = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "lables": {}}}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


def test_every_file_of_the_folder_is_used_and_every_kind_of_process_is_there() -> None:
    files = {path.name for path in FOLDER.iterdir() if path.suffix in {".yaml", ".env"}}
    used = {
        *KUSTOMIZATION["resources"],
        *KUSTOMIZATION["configurations"],
        "kustomization.yaml",
        "settings.env",
    }

    assert files == used
    assert {" ".join(container["args"]) for _, container in CONTAINERS.values()} == {
        "migrate", "topology", "relay", "web", "consume outbound", "consume inbound", "consume runs",
        "consume people", "keeper",
    }  # fmt: skip
    assert KUSTOMIZATION["images"][0]["newTag"] == PACKAGE["version"]
    assert {container["image"] for _, container in CONTAINERS.values()} == {
        KUSTOMIZATION["images"][0]["name"]
    }


@pytest.mark.parametrize("name", CONTAINERS)
def test_r44_a_container_gets_the_settings_and_secrets_that_it_uses_and_no_other(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Secrets as files that are links to files, as the kubelet lays them down; the program itself judges."""
    _, container = CONTAINERS[name]
    make_secrets(tmp_path)
    (tmp_path / "secrets" / "cronofy-client-secret").write_text("of-cronofy-as-it-shows-it")
    data = tmp_path / "mounted" / "..2026_11_30"
    data.mkdir(parents=True)
    (tmp_path / "mounted" / "..data").symlink_to(data.name)
    given = {setting: file for one in secrets_mounted(name) for setting, file in GENERATED[one].items()}
    for setting, file in given.items():
        (data / setting).write_text((tmp_path / file).read_text())
        (tmp_path / "mounted" / setting).symlink_to(f"..data/{setting}")
    for variable, value in SETTINGS_FILE.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("CALENDAR_SYNC_SECRETS_DIR", str(tmp_path / "mounted"))

    loaded = settings.load(container["args"][0], env_file=tmp_path / ".env")

    assert settings.unknown_names(env_file=tmp_path / ".env") == ()
    assert container["envFrom"] == [
        {"configMapRef": {"name": KUSTOMIZATION["configMapGenerator"][0]["name"]}}
    ]
    assert {one.removeprefix("CALENDAR_SYNC_") for one in given} == secrets_of(container["args"][0])
    assert not loaded.private
    broker = {"relay": "relay", "web": "web", "topology": "operator", "migrate": None}.get(name, "consumer")
    assert {one for one in secrets_mounted(name) if one.startswith("broker-")} == (
        {f"broker-{broker}"} if broker else set()
    )


def test_no_secret_stands_in_the_folder() -> None:
    """Only the names of files that are made elsewhere, and never committed."""
    assert not {f"CALENDAR_SYNC_{one}" for one in SECRET_SETTINGS} & {*SETTINGS_FILE}
    assert not [form for form in OBJECTS if form["kind"] == "Secret"]
    assert {f"CALENDAR_SYNC_{name.upper()}" for name in Settings.model_fields} >= {*SETTINGS_FILE}
    assert "secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", CONTAINERS)
def test_r44_a_container_may_do_no_more_than_it_must(name: str) -> None:
    """No root, no writing but to /tmp, no token of the cluster; memory has an end."""
    workload, container = CONTAINERS[name]
    pod, own = PODS[workload]["spec"], container["securityContext"]

    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (own["readOnlyRootFilesystem"], own["allowPrivilegeEscalation"]) == (True, False)
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False
    assert {*container["resources"]["requests"]} == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]
    namespace = of_kind("Namespace")[KUSTOMIZATION["namespace"]]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("name", LASTING)
def test_a_process_is_probed_where_it_answers_and_has_time_to_stop(name: str) -> None:
    (container,) = PODS[name]["spec"]["containers"]
    served = {route.path for route in health_routes(nothing_wrong)}
    probes = {
        kind: container[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")
    }

    assert {probe["path"] for probe in probes.values()} == {"/healthz", "/readyz"} < served
    assert probes["livenessProbe"]["path"] == "/healthz"
    assert {ports_of(name)[probe["port"]] for probe in probes.values()} == {int(HEALTH_PORT)}
    assert SETTINGS_FILE["CALENDAR_SYNC_STATUS_PORT"] == HEALTH_PORT
    grace = Settings.model_fields["shutdown_grace"].default
    assert PODS[name]["spec"]["terminationGracePeriodSeconds"] > grace
    assert PODS[name]["metadata"]["annotations"]["prometheus.io/port"] == HEALTH_PORT


def test_selectors_find_what_they_mean() -> None:
    """Each workload its own pods, each budget and service one workload, each policy somebody."""
    for name, form in LASTING.items():
        assert selected(form["spec"]["selector"]) == {name}
    for name, form in of_kind("PodDisruptionBudget").items():
        assert selected(form["spec"]["selector"]) == {name}
    assert {*of_kind("PodDisruptionBudget")} == {*LASTING}
    for name, form in of_kind("Service").items():
        assert selected({"matchLabels": form["spec"]["selector"]}) == {name}
        assert {port["targetPort"] for port in form["spec"]["ports"]} <= {*ports_of(name)}
        fields = Settings.model_fields["relay_port" if name == "relay" else "port"]
        assert ports_of(name)["http"] == form["spec"]["ports"][0]["port"] == fields.default


def test_who_may_speak_to_whom_is_said_and_nothing_else_is_open() -> None:
    """The relay, which the world reaches, has no way to the database or out."""
    policies = of_kind("NetworkPolicy")
    everybody = {*PODS}
    reached = {name: selected(form["spec"]["podSelector"]) for name, form in policies.items()}
    clients = {
        name for name, (_, one) in CONTAINERS.items() if "ENCRYPTION_KEYS" in secrets_of(one["args"][0])
    }

    assert policies["nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert reached["world"] == {"relay", "web"} == {*of_kind("Service")}
    assert reached["watched"] == reached["broker"] == everybody
    assert reached["database"] == clients | {"prepare"}
    assert reached["cronofy"] == clients
    assert policies["world"]["spec"]["ingress"][0]["ports"] == [{"protocol": "TCP", "port": "http"}]
    assert policies["watched"]["spec"]["ingress"][0]["ports"] == [{"protocol": "TCP", "port": "status"}]
    assert all(ports_of(name)["status"] == int(HEALTH_PORT) for name in LASTING)


def test_every_way_out_says_where_it_leads() -> None:
    """A port alone is a way to everybody; Cronofy is no neighbour."""
    for name, form in of_kind("NetworkPolicy").items():
        for rule in form["spec"].get("egress", ()):
            assert rule["to"], name
            assert rule["ports"], name
    (world,) = of_kind("NetworkPolicy")["cronofy"]["spec"]["egress"][0]["to"]
    private = {"10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"}
    assert {*world["ipBlock"]["except"]} == private


def test_the_world_is_led_to_relay_and_pages() -> None:
    (form,) = of_kind("Ingress").values()
    (rule,) = form["spec"]["rules"]
    led = {path["path"]: path["backend"]["service"] for path in rule["http"]["paths"]}

    assert led == {
        NOTICES_PATH: {"name": "relay", "port": {"name": "http"}},
        "/": {"name": "web", "port": {"name": "http"}},
    }
    assert SETTINGS_FILE["CALENDAR_SYNC_PUBLIC_URL"] == f"https://{rule['host']}"
    assert form["spec"]["tls"][0]["hosts"] == [rule["host"]]


def test_consumers_are_as_many_as_their_queue_is_long() -> None:
    """By a user that may read it; who is scaled so has no number of its own."""
    scaled = of_kind("ScaledObject")
    (access,) = of_kind("TriggerAuthentication").values()
    (secret,) = access["spec"]["secretTargetRef"]

    for name, form in scaled.items():
        (trigger,) = form["spec"]["triggers"]
        assert form["spec"]["scaleTargetRef"] == {"name": name}
        assert "replicas" not in LASTING[name]["spec"]
        assert trigger["metadata"]["queueName"] in WORK_QUEUES
        assert CONTAINERS[name][1]["args"] == ["consume", trigger["metadata"]["queueName"].partition(".")[2]]
        assert trigger["authenticationRef"]["name"] == access["metadata"]["name"]
    assert len(scaled) == len(WORK_QUEUES)
    assert {*GENERATED[secret["name"]]} == {secret["key"]}
    assert all(form["spec"]["replicas"] > 1 for name, form in LASTING.items() if name not in scaled)
    (reference,) = yaml.safe_load((FOLDER / "references.yaml").read_text())["nameReference"]
    assert reference["kind"] == "Secret"
    assert reference["fieldSpecs"][0]["kind"] == access["kind"]
