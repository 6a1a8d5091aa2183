"""With a certificate `cloud-api` speaks https and nothing else; and nothing goes off the machine in plain text."""

import asyncio
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from fastapi import FastAPI

from cloud_api.process import ProgramError, listen
from cloud_api.program import broker_address
from cloud_api.settings import Settings
from cloud_api.web_server import web_server
from edge_agent.settings import load_settings
from tests.certificates import Authority


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_https_and_nothing_else(tmp_path: Path) -> None:
    ca = Authority(tmp_path, "web-ca")
    identity = ca.issue("web", hosts=("127.0.0.1",))
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.get("/here")(lambda: "yes")

    async def run() -> None:
        listener = listen("127.0.0.1", 0)
        server = web_server(app, cert=identity.cert, key=identity.key)
        serving = asyncio.create_task(server.serve([listener]))
        where = f"127.0.0.1:{listener.getsockname()[1]}/here"
        good, old = ssl.create_default_context(cafile=ca.file), ssl.create_default_context(cafile=ca.file)
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        assert await asyncio.to_thread(read, f"https://{where}", good) == b'"yes"'
        for url, context in ((f"https://{where}", old), (f"http://{where}", None)):
            with pytest.raises(OSError):
                await asyncio.to_thread(read, url, context)
        server.should_exit = True
        await serving

    asyncio.run(run())
    with pytest.raises(OSError):
        web_server(app, cert=identity.key, key=identity.cert)


def read(url: str, context: ssl.SSLContext | None) -> bytes:
    with urllib.request.urlopen(url, timeout=10, context=context) as answer:
        return bytes(answer.read())


def test_a_broker_elsewhere_is_not_spoken_to_in_plain_text() -> None:
    with pytest.raises(ProgramError, match="LINLI_MQTT_TLS_CA is needed"):
        broker_address(Settings(mqtt_host="broker.example"))
    assert broker_address(Settings(mqtt_host="broker.example", mqtt_plain=True)).tls is None
    assert broker_address(Settings()).tls is None
    elsewhere = {"LINLI_CLOUD_MQTT_HOST": "broker.example"}
    assert "LINLI_CLOUD_MQTT_TLS_CA" in load_settings(None, elsewhere).plain_text_fault
    for allowed in (
        {},
        {**elsewhere, "LINLI_CLOUD_MQTT_PLAIN": "true"},
        {**elsewhere, "LINLI_CLOUD_MQTT_TLS_CA": "ca.pem"},
    ):
        assert load_settings(None, allowed).plain_text_fault == ""
