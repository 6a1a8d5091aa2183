"""docker-compose.yml: valid, hardened, and every name in it is of something that is there."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cloud_api.settings import Settings as CloudSettings
from edge_agent.settings import Settings as EdgeSettings
from tests.integration.deployment.compose import REPOSITORY, compose, real_environment, run_stage, stages

SCHEMA = Path(__file__).parent / "compose_spec" / "compose-spec.json"
DOCUMENT = compose()
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
ONCE = {"migrate", "broker-access"}
"""They do their work and end."""
WITHOUT_DOOR: set[str] = set()
"""Nothing that could be asked whether it is well; what they do is seen elsewhere."""
PUBLISHED = {"cloud-broker": ["8883"], "cloud-api": ["8080"], "gateway-broker": ["1884"]}
SETTINGS = {"linli/cloud": set(CloudSettings.model_fields), "linli/edge": set(EdgeSettings.__struct_fields__)}
PINNED = re.compile(r"^[a-z0-9./-]+:\d+\.\d+(\.\d+)?(-[a-z]+)*$")
DOCKERFILES = sorted((REPOSITORY / "docker").glob("*.Dockerfile"))

each_service = pytest.mark.parametrize("name", SERVICES)


def test_it_is_valid_by_the_specifications_own_schema() -> None:
    schema = json.loads(SCHEMA.read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(DOCUMENT)] == []
    broken = {**DOCUMENT, "services": {"x": {"imagee": "a"}}}
    assert list(validator.iter_errors(broken)), "the schema accepts everything"


@each_service
def test_hardened(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service and "privileged" not in service and "network_mode" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"]["max-size"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["restart"] == ("on-failure:3" if name in ONCE else "unless-stopped")
    assert ("healthcheck" in service) == (name not in ONCE | WITHOUT_DOOR)
    assert PINNED.match(service["image"]), service["image"]
    assert len(service["profiles"]) == 1


@each_service
def test_only_the_declared_ports_are_published(name: str) -> None:
    service = SERVICES[name]
    assert [port.rpartition(":")[2] for port in service.get("ports", [])] == PUBLISHED.get(name, [])
    if name not in PUBLISHED and name != "edge-agent":  # the agent goes out, nobody comes in
        assert all(DOCUMENT["networks"][network].get("internal") for network in service["networks"])


def test_the_api_without_sign_in_is_published_on_loopback_only() -> None:
    assert SERVICES["cloud-api"]["ports"] == ["127.0.0.1:8080:8080"]


@each_service
def test_what_a_service_names_is_declared(name: str) -> None:
    service = SERVICES[name]
    assert set(service["networks"]) <= set(DOCUMENT["networks"])
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert source.startswith(".") or source in DOCUMENT["volumes"], volume
    for secret in service.get("secrets", []):
        assert (secret if isinstance(secret, str) else secret["source"]) in DOCUMENT["secrets"]
    given = {secret if isinstance(secret, str) else secret["target"] for secret in service.get("secrets", [])}
    named = set(re.findall(r"/run/secrets/(\w+)", json.dumps(service)))
    assert named == given, "a secret that nobody reads, or that nobody gives"
    for other, how in service.get("depends_on", {}).items():
        assert SERVICES[other]["profiles"] == service["profiles"]
        assert how["condition"] == ("service_completed_successfully" if other in ONCE else "service_healthy")


@each_service
def test_every_setting_is_one_of_the_program(name: str) -> None:
    service = SERVICES[name]
    known = SETTINGS.get(service["image"].split(":")[0], set())
    for variable in service.get("environment", {}):
        if variable.startswith("LINLI_"):
            assert variable.removeprefix("LINLI_").lower() in known, variable
        assert "PASSWORD" not in variable or variable.endswith("_FILE"), "a secret belongs into a file"


def test_a_gateway_knows_pushed_profiles_by_the_key_that_the_cloud_signs_with() -> None:
    assert SERVICES["cloud-api"]["environment"]["LINLI_SIGNING_KEY"] == "/run/secrets/profile_signing_key"
    assert SERVICES["edge-agent"]["command"] == ["run", "--config", "/etc/linli/edge.toml"], (
        "there the public half is named"
    )


def test_the_agent_can_write_where_its_identity_is() -> None:
    assert "edge-identity:/etc/linli" in SERVICES["edge-agent"]["volumes"]
    image = stages(REPOSITORY / "docker" / "edge.Dockerfile")[-1]
    assert "install -d -o linli -g linli -m 0700 /etc/linli" in " ".join(each.text for each in image.instructions)


def test_every_declared_thing_is_used() -> None:
    services = list(SERVICES.values())
    assert {network for each in services for network in each["networks"]} == set(DOCUMENT["networks"])
    used = {volume.split(":")[0] for each in services for volume in each.get("volumes", [])}
    assert {volume for volume in used if not volume.startswith(".")} == set(DOCUMENT["volumes"])
    secrets = [secret for each in services for secret in each.get("secrets", [])]
    assert {each if isinstance(each, str) else each["source"] for each in secrets} == set(DOCUMENT["secrets"])


@each_service
def test_its_image_can_be_built_from_what_is_here(name: str) -> None:
    build = SERVICES[name].get("build")
    if build is not None:
        assert (REPOSITORY / build["context"] / build["dockerfile"]) in DOCKERFILES


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_dockerfile(dockerfile: Path) -> None:
    """Pinned images, sources that are there, no compiler and nobody privileged in the image that runs."""
    found = stages(dockerfile)
    assert all(PINNED.match(stage.image) for stage in found)
    for stage in found:
        for sources, _ in stage.copied():
            for source in sources:
                assert list(REPOSITORY.glob(source)), f"COPY {source}: there is nothing"
    assert found[-1].last("USER") == "10001:10001"
    runs = " ".join(each.text for each in found[-1].instructions if each.word == "RUN")
    assert "gcc" not in runs and "build-essential" not in runs and "pip" not in runs
    for command in (each.text for stage in found for each in stage.instructions if " install " in each.text):
        if "/pip " in command:
            assert "--require-hashes" in command or "--no-index" in command


@pytest.mark.long
def test_the_gateways_image_holds_the_edge_and_nothing_of_the_cloud(tmp_path: Path) -> None:
    """Its build stage, carried out here in fresh environments."""
    build = next(stage for stage in stages(REPOSITORY / "docker" / "edge.Dockerfile") if stage.name == "build")

    def run(command: str, folder: Path) -> None:
        done = subprocess.run(
            ["sh", "-ec", command], cwd=folder, env=real_environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    run_stage(build, tmp_path, run)
    bin_ = tmp_path / "opt" / "linli" / "bin"
    answer = subprocess.run([bin_ / "edge-agent", "--help"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "ledger" in answer.stdout
    packages = {path.name.partition("-")[0] for path in tmp_path.glob("opt/linli/lib/*/site-packages/*.dist-info")}
    assert {"linli", "msgspec", "aiomqtt", "cryptography"} <= packages
    assert not packages & {"fastapi", "tortoise_orm", "duckdb", "numpy", "hatchling", "uvicorn", "pip"}
    folders = {path.name for path in tmp_path.glob("opt/linli/lib/*/site-packages/*")}
    assert {"contracts", "edge_agent"} <= folders
    assert not folders & {"cloud_api", "device_registry", "simulators"}
    names = {path.name for path in bin_.iterdir()}
    assert "edge-agent" in names and not names & {"cloud-api", "simulate"}
