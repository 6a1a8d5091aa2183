"""One reading, followed through the logs of both programs as docs/ops/following.md says; one id a request, one a command."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.devices import ForeignClient, reading
from tests.processes import Program, running_site, wait_for
from tests.unit.cloud_http.cloud import open_cloud


def lines(program: Program) -> list[dict[str, Any]]:
    """Its log, every line of which must be JSON."""
    return [json.loads(line) for line in program.log().splitlines()]


def said(program: Program, message: str, **fields: object) -> list[dict[str, Any]]:
    """Its lines with this message and these fields."""
    return [line for line in lines(program) if line["message"] == message and fields.items() <= line.items()]


def test_a_reading_is_followed_from_its_topic_to_its_series(tmp_path: Path) -> None:
    topic = "linli-device/reading/followed"
    debug = {"LINLI_LOG_LEVEL": "debug"}
    with running_site(tmp_path, cloud=debug, **debug) as site, ForeignClient(site.local_broker.port) as client:  # type: ignore[arg-type]
        client.publish(topic, reading(1, temperature=20))
        (decoded,) = wait_for(lambda: said(site.agent, "message decoded", topic=topic), "the message to be read", 20)
        assert decoded["device"] == "followed"

        def frames() -> list[str]:
            committed = said(site.agent, "frame committed", commit=decoded["commit"])
            return [line["frame"] for line in committed if "followed" in line["devices"]]

        (frame,) = wait_for(frames, "its frame")
        wait_for(site.balanced, "the ledger to balance", 20)
        assert frame.startswith(f"{site.gateway}/") and frame.count("/") == 3

        assert said(site.agent, "frame sent", frame=frame)
        (logged,) = said(site.cloud, "frame logged", frame=frame)
        assert logged["outcome"] == "stored"
        assert [line for line in said(site.cloud, "acknowledgement sent") if frame in line["frames"]]
        wait_for(
            lambda: [line for line in said(site.agent, "frames acknowledged") if frame in line["frames"]],
            "the acknowledgement",
        )
        for projection in ("telemetry", "live", "book"):
            wait_for(
                lambda name=projection: said(site.cloud, "frame projected", frame=frame, projection=name),  # type: ignore[misc]
                f"{projection} to have it",
            )
        # The same by one search for the frame's name, in the order of their times.
        found = sorted(
            (line["at"], line["message"])
            for program in (site.agent, site.cloud)
            for line in lines(program)
            if frame in (line.get("frame"), *line.get("frames", ()))
        )
        assert found[0][1] == "frame committed" and len(found) >= 7

        # A command: the request's id leads to the command's id, that one through both programs.
        device = wait_for(lambda: site.cloud.device("followed"), "the device")
        status, problem = site.cloud.send(
            "POST",
            f"devices/{device['id']}/commands",
            {"verb": "switch_on"},
            Idempotency_Key="k",
            X_Request_Id="mine-7",
        )
        assert status == 422 and problem["request_id"] == "mine-7"
        assert said(site.cloud, "request", request_id="mine-7", status=422)


def test_a_commands_id_goes_through_both_programs(tmp_path: Path) -> None:
    with running_site(tmp_path) as site, ForeignClient(site.local_broker.port) as client:
        client.publish("linli-device/valve/v1/state", json.dumps({"valve_open": True}).encode())
        device = wait_for(lambda: site.cloud.device("v1"), "the valve")
        selection = site.cloud.send("POST", f"devices/{device['id']}/selections", {"verb": "close_valve"})[1]["id"]
        status, command = site.cloud.send(
            "POST", f"devices/{device['id']}/commands", {"verb": "close_valve", "selection": selection},
            Idempotency_Key="follow", X_Request_Id="close-it",
        )  # fmt: skip
        assert status == 202, command
        (asked,) = said(site.cloud, "command", command_id=command["id"], state="queued")
        assert asked["request_id"] == "close-it"
        wait_for(lambda: said(site.agent, "command", command_id=command["id"], state="received"), "the gateway's word")
        wait_for(
            lambda: said(site.cloud, "command", command_id=command["id"], state="executing"), "the cloud to hear it"
        )


@pytest.mark.parametrize("given", ["", "has space", "x" * 65, "läuft", "a\tb"])
def test_an_insane_request_id_is_replaced(tmp_path: Path, given: str) -> None:
    import asyncio

    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            answer = await cloud.http.get("/api/v1/devices/nobody", headers={"X-Request-Id": given.encode()})
            request_id = answer.headers["x-request-id"]
            assert request_id.startswith("req-") and answer.json()["request_id"] == request_id
            sane = await cloud.http.get("/api/v1/devices/nobody", headers={"X-Request-Id": "edge.42_a-B"})
            assert sane.headers["x-request-id"] == sane.json()["request_id"] == "edge.42_a-B"

    asyncio.run(run())
