"""The program as it is served: the first administrator, a stream that ends with its session, guesses, headers, the log."""

import asyncio
import json
import os
import stat
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud_api.audit.verification import verify
from tests.brokers import free_port, wait_until_listening
from tests.faults import LONG
from tests.letting_in import PASSWORD, post
from tests.oidc import CLIENT, SECRET
from tests.processes import BIN, CloudApi, wait_for

GUESSES, AT_ONCE = 1_000 if LONG else 200, 20


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The address of a provider of identities: a process of its own."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.oidc", str(port)], cwd=Path(__file__).parents[3])
    try:
        wait_until_listening(port, 60)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, provider: str) -> Iterator[CloudApi]:
    """Without a broker: nothing here needs one."""
    client = {"LINLI_OIDC_ISSUER": provider, "LINLI_OIDC_CLIENT_ID": CLIENT, "LINLI_OIDC_CLIENT_SECRET": SECRET}
    served = CloudApi(tmp_path_factory.mktemp("served") / "cloud", free_port(), **client)
    served.start()
    try:
        wait_for(lambda: answers(served), "the cloud to serve", 60)
        yield served
    finally:
        served.stop()


def answers(served: CloudApi) -> bool:
    assert served.alive, served.log()[-2000:]
    try:
        with urllib.request.urlopen(f"{served.url}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_nobody_can_sign_in_before_the_code_was_used(cloud: CloudApi) -> None:
    code = Path(cloud.settings["LINLI_DATA_DIR"]) / "first-administrator.code"
    assert stat.S_IMODE(code.stat().st_mode) == 0o600
    for name, password in (("admin", "admin"), ("administrator", "administrator"), ("root", ""), ("linli", "linli")):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            post(cloud.url, "sessions", {"name": name, "password": password})
    text = code.read_text()
    assert cloud.get("sessions/current")["roles"] == ["administrator"]
    assert not code.exists()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        post(cloud.url, "invitations/accept", {"code": text, "name": "second", "password": PASSWORD})
    assert text.strip() not in cloud.log() and PASSWORD not in cloud.log()


def test_somebody_signs_in_by_a_provider(cloud: CloudApi, provider: str) -> None:
    """Over sockets, through all three programs; what a provider may get wrong is tried in test_provider.py."""
    body = {"grants": [{"role": "crew", "community_id": None}], "email": "chen.wei@example.org"}
    assert cloud.send("POST", "invitations", body)[0] == 201
    with httpx.Client(base_url=f"{cloud.url}/api/v1/", headers={"X-Requested-With": "linli"}) as browser:
        there = browser.post("sessions/provider/options").json()["authorization_url"]
        assert there.startswith(f"{provider}/authorize?")
        answer = dict(httpx.URL(httpx.get(there).headers["location"]).params)
        came = browser.post("sessions/provider", json={"answer": answer})
        assert (came.status_code, came.json()["roles"]) == (201, ["crew"]), came.text
        assert browser.get("devices").status_code == 200
        assert browser.post("sessions/provider", json={"answer": answer}).status_code == 401, "a code is good once"


def test_an_administrator_is_recovered_on_the_machine_and_that_is_in_the_audit(cloud: CloudApi) -> None:
    """Beside the running cloud: what both write down hangs together."""
    cloud.let_in()
    command = [str(BIN / "cloud-api"), "administrator", "recover", "--json"]
    said = subprocess.run(
        command, env=os.environ | cloud.settings, capture_output=True, text=True, timeout=60, check=True
    )
    file = Path(json.loads(said.stdout)["file"])
    code = file.read_text().strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and code not in said.stdout + said.stderr + cloud.log()
    session, _ = post(cloud.url, "invitations/accept", {"code": code, "name": "rescuer", "password": PASSWORD})
    assert (session["roles"], session["communities"]) == (["administrator"], None) and not file.exists()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        post(cloud.url, "invitations/accept", {"code": code, "name": "again", "password": PASSWORD})
    entry = cloud.get("audit", action="recover_administrator")["items"][0]
    assert (entry["actor"], entry["outcome"], entry["details"]["uid"]) == ("cli", "done", os.getuid())
    with cloud.ask("audit/export") as export:
        lines = export.read().splitlines()
    assert verify(lines, [], []).fault is None


def newcomer(cloud: CloudApi, name: str, role: str) -> tuple[str, str]:
    """Somebody invited. Returns the id and the cookie."""
    status, invited = cloud.send("POST", "invitations", {"grants": [{"role": role, "community_id": None}]})
    assert status == 201, invited
    body = {"code": invited["code"], "name": name, "password": PASSWORD}
    session, cookie = post(cloud.url, "invitations/accept", body)
    return session["user_id"], cookie


@pytest.mark.parametrize("change", [{"disabled": True}, {"grants": []}])
def test_an_open_stream_ends_when_its_reader_is_shut_out(cloud: CloudApi, change: dict[str, Any]) -> None:
    user, cookie = newcomer(cloud, f"watcher{len(change)}{next(iter(change))}", "crew")
    request = urllib.request.Request(f"{cloud.url}/api/v1/live", headers={"Cookie": cookie})
    ended: list[float] = []
    with urllib.request.urlopen(request, timeout=30) as stream:
        assert stream.readline() == b"event: snapshot\n"

        def read() -> None:
            while stream.read1(65_536):
                pass
            ended.append(time.monotonic())

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        reader.join(2.5)
        assert not ended, "it lasts while nothing happens"
        began = time.monotonic()
        assert cloud.send("PATCH", f"users/{user}", change)[0] == 200
        reader.join(10)
    assert ended and ended[0] - began < 5
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=5)


def test_a_thousand_guesses_let_nobody_in_and_keep_nobody_out(cloud: CloudApi) -> None:
    newcomer(cloud, "target", "property_manager")
    newcomer(cloud, "colleague", "crew")

    async def run() -> None:
        limits = httpx.Limits(max_connections=AT_ONCE + 5, keepalive_expiry=2)  # the server closes them after 5 s
        async with httpx.AsyncClient(base_url=f"{cloud.url}/api/v1", timeout=30, limits=limits) as http:
            room = asyncio.Semaphore(AT_ONCE)
            statuses: list[int] = []

            async def guess(number: int) -> None:
                async with room:
                    body = {"name": "target", "password": f"guess number {number}"}
                    statuses.append((await http.post("sessions", json=body)).status_code)

            quiet, loud = [], []
            for first in range(0, GUESSES, 100):  # by turns, as the machine is not the same all the time
                quiet += [await timed(http, cloud) for _ in range(40)]
                guessing = asyncio.gather(*map(guess, range(first, first + 100)))
                while not guessing.done():
                    loud.append(await timed(http, cloud))
                await guessing
            assert sorted(set(statuses)) == [401, 429] and statuses.count(401) == 5
            right = {"name": "colleague", "password": PASSWORD}
            assert (await http.post("sessions", json=right)).status_code == 201, "others come in meanwhile"
            ratio = p95(loud) / p95(quiet)
            print(
                f"p95 quiet {p95(quiet) * 1000:.1f} ms, during {GUESSES} guesses {p95(loud) * 1000:.1f} ms: {ratio:.2f}"
            )
            if LONG:  # a busy machine says nothing of this
                assert ratio < 2

    asyncio.run(run())


async def timed(http: httpx.AsyncClient, cloud: CloudApi) -> float:
    began = time.monotonic()
    answer = await http.get("communities", headers=cloud.let_in())
    assert answer.status_code == 200
    return time.monotonic() - began


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


HEADERS = {
    "content-security-policy": "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}


def test_every_route_has_its_headers(cloud: CloudApi) -> None:
    document = cloud.get("openapi.json")
    paths = [path for path in document["paths"] if path != "/api/v1/live"]
    for path in [*paths, "/", "/gateways", "/assets/none.js", "/docs", "/no/such/page"]:
        for headers in ({}, {"X-Forwarded-Proto": "https"}):
            request = urllib.request.Request(cloud.url + path.replace("{", "").replace("}", ""), headers=headers)
            try:
                answer: Any = urllib.request.urlopen(request, timeout=10)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                for name, holds in HEADERS.items():
                    if path == "/docs" and name == "content-security-policy":
                        holds = "default-src 'none'"
                    assert holds in answer.headers.get(name, ""), (path, name)
                assert ("strict-transport-security" in answer.headers) == bool(headers), path
                if path.startswith("/api/"):
                    assert answer.headers["cache-control"] == "no-store", path


def test_a_refused_sign_in_stands_in_the_log_on_one_line_without_its_secrets(cloud: CloudApi) -> None:
    secret = "canary-7f3a-secret"
    with pytest.raises(urllib.error.HTTPError):
        post(cloud.url, "sessions", {"name": "line\nbreak", "password": secret})
    log = cloud.log()
    assert secret not in log and "line\nbreak" not in log
    refused = [json.loads(line) for line in log.splitlines() if "sign-in refused" in line]
    assert refused and refused[-1]["reason"] == "sign_in_refused" and refused[-1]["address"] == "127.0.0.1"
