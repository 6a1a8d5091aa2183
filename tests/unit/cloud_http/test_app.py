"""The application as a whole: its document, its pages, health, the console's files, headers."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from cloud_api.openapi import COMMITTED, document_text
from cloud_api.process import ProgramError, only_process
from cloud_api.settings import SettingsError, load_settings
from tests.unit.cloud_http.cloud import open_cloud


def test_the_committed_document_is_the_codes() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == document_text(), "run: python -m cloud_api.openapi"


def test_the_document_is_valid_and_every_operation_is_explained() -> None:
    document = json.loads(document_text())
    validate(document)
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"] and operation["description"], (method, path)
            assert any(status.startswith("2") for status in operation["responses"])
            if path.startswith("/api/"):
                assert "application/problem+json" in operation["responses"]["422"]["content"], (method, path)


def test_docs_load_nothing_from_elsewhere(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            page = await cloud.http.get("/docs")
            assert page.status_code == 200 and "/api/v1/devices/{device_id}/telemetry" in page.text
            assert not re.search(r"<script|<link|<img|@import|url\(", page.text)
            assert "default-src 'none'" in page.headers["content-security-policy"]
            assert (await cloud.http.get("/api/v1/openapi.json")).json() == json.loads(document_text())

    asyncio.run(run())


def test_health(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            assert (await cloud.http.get("/healthz")).json() == {"status": "alive"}
            assert (await cloud.http.get("/readyz")).json() == {"ready": True, "parts": {}}
            assert 'route="/healthz"' in (await cloud.http.get("/metrics")).text

    asyncio.run(run())


def test_the_consoles_files(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            absent = await cloud.http.get("/")
            assert "make web" in absent.text and absent.headers["cache-control"] == "no-store"
            assets = tmp_path / "dist" / "assets"
            assets.mkdir(parents=True)
            (assets / "index-3f9a.js").write_text("0")
            (tmp_path / "dist" / "index.html").write_text("<!doctype html>console")
            (tmp_path / "secret.txt").write_text("secret")
            page = await cloud.http.get("/communities/willow")
            assert (page.text, page.headers["cache-control"]) == ("<!doctype html>console", "no-cache")
            assert "script-src 'self';" in page.headers["content-security-policy"]
            script = await cloud.http.get("/assets/index-3f9a.js")
            assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert script.headers["x-content-type-options"] == "nosniff"
            assert (await cloud.http.get("/assets/gone.js")).status_code == 404
            assert "secret" not in (await cloud.http.get("/%2e%2e/secret.txt")).text
            assert (await cloud.http.get("/api/v2/devices")).headers["content-type"] == "application/problem+json"

    asyncio.run(run())


def test_the_vocabulary(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            words = await cloud.get("vocabulary")
            temperature = next(metric for metric in words["metrics"] if metric["name"] == "temperature")
            assert (temperature["unit"], temperature["label"]["zh"]) == ("Cel", "温度")
            limit = next(verb for verb in words["verbs"] if verb["name"] == "set_current_limit")
            assert limit["arguments"][0]["low"] == 6

    asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("LINLI_HTTP_PORT", "99999", "65535"), ("LINLI_ADOPT", "maybe", "'auto' or 'wait'")],
)
def test_a_wrong_setting_is_refused_by_name(name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load_settings(None)
    assert name in str(refused.value) and value in str(refused.value) and says in str(refused.value)


def test_the_environment_goes_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "cloud.toml"
    config.write_text('http_port = 9001\nadopt = "auto"\nmqtt_password = "hush"\n')
    monkeypatch.setenv("LINLI_HTTP_PORT", "9002")
    settings = load_settings(config)
    assert (settings.http_port, settings.adopt) == (9002, "auto")
    assert "hush" not in json.dumps(settings.masked())
    config.write_text("htp_port = 9001\n")
    with pytest.raises(SettingsError, match="htp_port: there is no such setting"):
        load_settings(config)


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    with only_process(tmp_path), pytest.raises(ProgramError, match="another cloud-api"), only_process(tmp_path):
        pass
