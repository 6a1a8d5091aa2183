"""The cloud's broker dies, with or without its disk, or lives in the past: it is expendable, and its clock counts for nothing."""

import time
from pathlib import Path

import pytest

from cloud_api.signing import sealing, signing_key
from contracts import topics
from contracts.messages import Command
from tests.brokers import Kind
from tests.devices import ForeignClient
from tests.faults.test_commands import Valve, order, reached, valve_id
from tests.faults.test_kills import Load, assert_stored_once
from tests.faults.test_links import assert_all_stored, gauge
from tests.processes import running_site, wait_for

DAY_MS = 86_400_000


def a_day_behind() -> list[str]:
    """What starts a program whose clock is a day behind. (`faketime` itself would stay as its parent.)"""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    return ["env", f"LD_PRELOAD={library}", "FAKETIME=-1d"]


@pytest.mark.parametrize("kind", ["nats-cloud", "mosquitto-gateway"])
@pytest.mark.long
def test_killed_with_its_persistence_kept(tmp_path: Path, kind: Kind) -> None:
    """F03."""
    with running_site(tmp_path, cloud_broker=kind) as site:
        load = Load(site.local_broker.port, "kills")
        for count in (300, 900):
            wait_for(lambda count=count: load.sent > count, "some load")  # type: ignore[misc]
            site.cloud_broker.kill()
            wait_for(
                lambda: not (site.agent.status() or {"cloud": {"connected": True}})["cloud"]["connected"], "the loss"
            )
            wait_for(lambda: gauge(site, "buffered_samples") > 100, "something to be buffered")
            site.cloud_broker.start()
            back = time.monotonic()
            site.agent.wait_ready(cloud=True)
            wait_for(lambda: gauge(site, "buffered_samples") < 100, "the backlog to drain", 30)
            print(f"{kind}: drained {time.monotonic() - back:.1f} s after the broker was back")
        assert_stored_once(site, "kills", load.stop())


def test_lost_with_its_disk_and_a_command_that_nobody_has_heard(tmp_path: Path) -> None:
    """F04: the command was given to the broker and is lost with it; it is given again, and acts once."""
    with running_site(tmp_path, proxied=True) as site, Valve(site.local_broker.port) as valve:
        device = valve_id(site)
        load = Load(site.local_broker.port, "kills")
        wait_for(lambda: load.sent > 100, "some load")
        site.uplink.silence("down")
        command = order(site, device, "close_valve", "lost", ttl_ms=60_000)
        reached(site, command, "sent")
        site.cloud_broker.kill()
        site.cloud_broker.erase()
        site.uplink.cut()
        site.uplink.heal()
        site.cloud_broker.start()
        done = reached(site, command, "confirmed", deadline_s=30)
        assert [step["state"] for step in done["transitions"]].count("executing") == 1
        assert valve.acts == [False]
        assert_all_stored(site, "kills", load.stop())


def test_a_command_that_a_broker_kept_for_a_day_is_refused(tmp_path: Path) -> None:
    """F28: a broker whose clock is a day behind lets an expired command through; so does one that retained it."""
    with running_site(tmp_path, cloud_broker="mosquitto-gateway", broker_prefix=a_day_behind()) as site:
        with Valve(site.local_broker.port) as valve, ForeignClient(site.cloud_broker.port) as broker:
            device = valve_id(site)
            reached(site, order(site, device, "close_valve", "first"), "confirmed")  # its clock hinders nothing
            now_ms = time.time_ns() // 1_000_000
            seal = sealing(signing_key(site.cloud_key.parent, None))

            def command(name: str, sent_ms: int) -> bytes:
                return seal(
                    Command(
                        command_id=name, device="main", verb="open_valve", ttl_ms=5_000, issuer="test",
                        issued_ms=sent_ms, sent_ms=sent_ms, gateway=site.gateway,
                    )
                )  # fmt: skip

            broker.publish(topics.command(site.gateway), command("yesterday", now_ms - DAY_MS))
            wait_for(
                lambda: '"command_id":"yesterday","state":"expired"' in site.agent.log(), "yesterday's to be refused"
            )
            broker.publish(topics.command(site.gateway), command("retained", now_ms), retain=True)
            site.agent.stop()
            acts = list(valve.acts)
            site.agent.start()
            site.agent.wait_ready(cloud=True)
            wait_for(lambda: "a command is retained" in site.agent.log(), "the retained one to be refused")
            broker.publish(topics.command(site.gateway), b"", retain=True)
            assert valve.acts[len(acts) :] == []
            broker.publish(topics.command(site.gateway), command("today", time.time_ns() // 1_000_000))
            wait_for(lambda: valve.acts[len(acts) :] == [True], "one in time to act: so the others could have")
        assert "libfaketime" in Path(f"/proc/{site.cloud_broker.pid}/maps").read_text(), "the broker's clock was right"
