"""The settings of the databases: what is refused, and what is never shown."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloud_api.durable import postgres_address, registry_database
from cloud_api.settings import Settings, SettingsError, load_settings

SECRET = "sesame-7f3a"


@pytest.mark.parametrize(
    "url", ["mysql://linli@db/linli", "postgres://db:5432/linli", "postgres://linli@db:99999/linli", "postgres://linli@db",
            "postgres://linli@db/linli?sslmode=disable", "linli"],
)  # fmt: skip
def test_a_wrong_address_is_refused_by_name(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINLI_DATABASE_URL", url)
    with pytest.raises(SettingsError, match="LINLI_DATABASE_URL"):
        load_settings(None)


def test_a_password_in_the_address_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINLI_DATABASE_URL", f"postgres://linli:{SECRET}@db/linli")
    with pytest.raises(SettingsError, match="LINLI_DATABASE_PASSWORD_FILE") as refused:
        load_settings(None)
    assert SECRET not in str(refused.value)


def test_the_address_is_read_and_without_one_files_are_used(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{SECRET}\n")
    settings = Settings(
        database_url="postgres://li%40nli@db.example/linli", database_password_file=tmp_path / "password"
    )
    address = postgres_address(settings)
    assert address is not None
    assert (address.host, address.port, address.user, address.database) == ("db.example", 5432, "li@nli", "linli")
    assert address.password == SECRET
    assert registry_database(Settings(data_dir=tmp_path)) == f"sqlite://{tmp_path}/registry.sqlite"


def test_the_password_is_never_shown(tmp_path: Path) -> None:
    """Not by --print-config, and not when the server is not there."""
    (tmp_path / "password").write_text(SECRET)
    environment = {
        **os.environ,
        "LINLI_DATA_DIR": str(tmp_path),
        "LINLI_DATABASE_URL": "postgres://linli@127.0.0.1:9/linli",
        "LINLI_DATABASE_PASSWORD_FILE": str(tmp_path / "password"),
    }
    command = [sys.executable, "-m", "cloud_api.cli", "migrate"]
    shown = subprocess.run([*command, "--print-config"], env=environment, capture_output=True, text=True, timeout=60)
    assert json.loads(shown.stdout)["database_url"] == "postgres://linli@127.0.0.1:9/linli"
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.startswith("cloud-api: PostgreSQL at 127.0.0.1:9: ") and ended.stderr.count("\n") == 1
    assert SECRET not in shown.stdout + shown.stderr + ended.stdout + ended.stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999", "http://127.0.0.1:0", "http://127.0.0.1:x", "influx:8086"])
def test_a_wrong_address_of_the_telemetry_store_is_refused_by_name(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINLI_TELEMETRY_URL", url)
    with pytest.raises(SettingsError, match="LINLI_TELEMETRY_URL"):
        load_settings(None)


@pytest.mark.parametrize("secret", ["telemetry_token", "telemetry_password"])
def test_the_telemetry_stores_secrets_come_from_files(secret: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    settings = Settings(telemetry_url="http://127.0.0.1:8086", **{f"{secret}_file": tmp_path / "secret"})  # type: ignore[arg-type]
    assert getattr(settings, secret).get_secret_value() == SECRET
    assert SECRET not in json.dumps(settings.masked())


def test_a_setting_by_its_former_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINLI_PROFILE_SIGNING_KEY", "/run/secrets/key.pem")
    with pytest.raises(SettingsError, match="LINLI_SIGNING_KEY"):
        load_settings(None)


def test_a_sign_in_provider_is_whole() -> None:
    with pytest.raises(SettingsError, match="LINLI_OIDC_CLIENT_ID"):
        Settings(oidc_issuer="https://login.example")
