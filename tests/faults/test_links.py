"""Bad links between agent and cloud, through a proxy: nothing is lost, nothing storms, and it is said what is the matter."""

import itertools
import statistics
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts import topics
from contracts.frame import read_header
from contracts.messages import FrameAck
from edge_agent.uplink.session import KEEPALIVE_S
from tests.bench.load import PROFILE, RawPublisher, payloads
from tests.faultproxy import PUBACK, PUBLISH, Packet, PacketFault
from tests.faults import LONG, OUTAGE_S
from tests.faults.test_kills import Load, assert_stored_once
from tests.probe import running_probe
from tests.processes import Site, running_site, wait_for

FLAP_S = 600 if LONG else 15
LINK_BYTES_PER_S = 96_000


def gauge(site: Site, name: str) -> Any:
    """A number of the agent's status."""
    return (wait_for(site.agent.status, "the agent's status"))["gauges"][name]


def counter(site: Site, name: str) -> int:
    """A counter of the agent's status."""
    return int(wait_for(site.agent.status, "the agent's status")["counters"][name])


def gateway(site: Site) -> dict[str, Any]:
    """The gateway as the cloud shows it."""
    return dict(site.cloud.get(f"gateways/{site.gateway}"))


class Queue:
    """A rule that changes nothing: what lies before each fresh frame, one committed after the link has come back.

    ahead_bytes     sent before it and not yet through the link
    between_bytes   of the backlog, since the fresh one before it
    """

    def __init__(self, site: Site) -> None:
        self.ahead_bytes: list[int] = []
        self.between_bytes: list[int] = []
        self._counts = site.uplink.counts
        self._through = self._counts["bytes_up"]
        lanes = wait_for(site.agent.status, "the agent's status")["lanes"]
        self._backlog_seq = max(lane["last_seq"] for lane in lanes if lane["lane"] == "bulk")
        self._given = self._backlog = 0
        self._closed = False

    def close(self) -> None:
        """The backlog has gone."""
        self._closed = True

    def __call__(self, packet: Packet) -> None:
        if packet.way != "up" or self._closed:
            return
        if packet.kind == PUBLISH and packet.topic.endswith("/up/bulk"):
            if read_header(packet.payload).seq > self._backlog_seq:
                if self._given > 1.5 * LINK_BYTES_PER_S:  # by then the window knows the link
                    self.ahead_bytes.append(self._given - (self._counts["bytes_up"] - self._through))
                self.between_bytes.append(self._backlog)
                self._backlog = 0
            else:
                self._backlog += len(packet.data)
        self._given += len(packet.data)


@pytest.mark.long
def test_fresh_data_is_there_at_once_while_a_backlog_drains(tmp_path: Path) -> None:
    """F11. The link that comes back carries 768 kbit/s, so that the drain takes its time.

    What is judged is the link's own: how many bytes were ahead of a fresh frame on it, and how many of the backlog went
    between two fresh ones. How long this machine takes beside that is told, not judged.
    """
    with running_site(tmp_path, proxied=True, LINLI_TOPIC_MESSAGES_PER_S_MAX="0", LINLI_PROFILES=str(PROFILE)) as site:
        with running_probe(site.cloud, site.local_broker.port) as probe:
            load = Load(site.local_broker.port, "outage")
            wait_for(lambda: load.sent > 200, "some load")
            site.uplink.refuse()
            assert site.uplink.cut() >= 1
            burst = RawPublisher(site.local_broker.port)
            burst.publish_all(payloads(40_000))
            began = load.sent
            wait_for(lambda: load.sent > began + 200 * OUTAGE_S, "the outage to last", OUTAGE_S * 3)
            backlog = gauge(site, "buffered_samples")
            assert backlog > 120_000, "there was no outage"
            queue = Queue(site)
            site.uplink.rule(queue)
            site.uplink.links["up"].bytes_per_s = LINK_BYTES_PER_S
            began_s = time.monotonic()
            site.uplink.refuse(False)
            site.agent.wait_ready(cloud=True)
            wait_for(lambda: gauge(site, "buffered_samples") < 1_000, "the backlog to drain", 60)
            drained_s = time.monotonic()
            queue.close()
            acked = load.stop()
            burst.close()
            wait_for(lambda: len(probe.seen) >= len(probe.sent) - 5, "the probe's last word", 10)
            p95_s = probe.p95_s(began_s + 1.5, drained_s)
        print(f"drain of {backlog} samples {drained_s - began_s:.1f} s; live p95 meanwhile {p95_s:.2f} s")
        assert drained_s - began_s > 3, "the drain was too quick to tell anything"
        ahead, between = statistics.quantiles(queue.ahead_bytes, n=20)[-1], max(queue.between_bytes)
        print(
            f"{len(queue.ahead_bytes)} fresh frames, {ahead:.0f} bytes ahead (p95), {between} of the backlog between two"
        )
        assert len(queue.ahead_bytes) > 20 and sum(queue.between_bytes) > 100_000, "fresh ones and backlog did not mix"
        assert ahead < 2 * LINK_BYTES_PER_S
        assert between < 2 * LINK_BYTES_PER_S
        ledger = wait_for(site.balanced, "the ledger to balance", 40)
        assert ledger["unexplained"] == ledger["declared_dropped"] == 0
        found = wait_for(lambda: site.cloud.device("outage"), "the device")
        wait_for(lambda: len(site.cloud.samples(found["id"], "message_count")) >= len(acked), "telemetry", 30, 0.3)
        stored = [point["value"] for point in site.cloud.samples(found["id"], "message_count")]
        assert sorted(stored) == sorted(acked)
        assert ledger["stored"] == ledger["produced"]


@pytest.mark.long
def test_a_half_open_link_is_offline_within_one_and_a_half_keepalives(tmp_path: Path) -> None:
    """F12, with heartbeats as in production."""
    with running_site(tmp_path, proxied=True, LINLI_HEARTBEAT_S="5") as site:
        load = Load(site.local_broker.port, "kills")
        wait_for(lambda: gateway(site)["online"], "the gateway to be online")
        wait_for(lambda: load.sent > 200, "some load")
        site.uplink.silence()
        began = time.monotonic()
        sent, passed = load.sent, site.uplink.counts["bytes_up"]
        wait_for(lambda: not gateway(site)["online"], "the gateway to be offline", 1.5 * KEEPALIVE_S)
        offline_s = time.monotonic() - began
        print(f"offline after {offline_s:.1f} s; the keepalive is {KEEPALIVE_S} s")
        assert offline_s < 1.5 * KEEPALIVE_S
        assert load.sent > sent + 500, "there was nothing to say"
        assert site.uplink.counts["bytes_up"] <= passed + 65_536, "the link was not silent"
        assert gauge(site, "buffered_samples") > 0
        site.uplink.heal()
        wait_for(lambda: gateway(site)["online"], "the gateway to be online again", 30)
        assert_stored_once(site, "kills", load.stop())


@pytest.mark.parametrize("segments", ["single bytes", "coalesced"] if LONG else ["single bytes"])
@pytest.mark.long
def test_segments_of_one_byte_and_many_packets_in_one(tmp_path: Path, segments: str) -> None:
    """F15."""
    with running_site(tmp_path, proxied=True) as site:
        for link in (*site.uplink.links.values(), *site.cloud_link.links.values()):
            link.segment_bytes = 1 if segments == "single bytes" else 0
            link.coalesce_s = 0 if segments == "single bytes" else 0.15
        before = site.uplink.counts.copy()
        load = Load(site.local_broker.port, "kills")
        wait_for(lambda: load.sent > 600, "some load")
        assert_stored_once(site, "kills", load.stop())
        passed, written = (site.uplink.counts[name] - before[name] for name in ("bytes_up", "segments_up"))
        assert passed > 1_000
        if segments == "single bytes":
            assert written == passed, "the link did not take the bytes apart"
        else:
            assert passed / written > 300, "the link did not put packets together"


class Impatience:
    """A rule that changes nothing: which frames are sent again while they, or the answer to them, are still on the link?

    One that has arrived and is not yet answered tells of a busy machine behind the link, not of the agent's patience.
    """

    def __init__(self, site: Site) -> None:
        self.sent = self.impatient = self.excused = 0
        self._counts = site.uplink.counts
        self._through = self._counts["bytes_up"]  # nothing may be connected now
        self._given = 0
        self._ends: dict[
            tuple[str, str, int], int
        ] = {}  # frame -> what was given to the link up to its first copy's end
        self._answered: dict[tuple[str, str], list[tuple[int, int]]] = {}

    def __call__(self, packet: Packet) -> None:
        if packet.way == "up":
            self._given += len(packet.data)
        if packet.kind != PUBLISH:
            return
        if packet.way == "down" and packet.topic.endswith("/ack"):
            ack = msgspec.msgpack.decode(packet.payload, type=FrameAck)
            self._answered[ack.epoch, ack.lane] = ack.ranges
        elif "/up/" in packet.topic:
            header = read_header(packet.payload)
            key = header.epoch, header.lane, header.seq
            self.sent += 1
            if key not in self._ends:
                self._ends[key] = self._given
                return
            answered = any(low <= header.seq <= high for low, high in self._answered.get(key[:2], ()))
            arrived = self._counts["bytes_up"] - self._through >= self._ends[key]
            if answered or not arrived:
                self.impatient += 1
            else:
                self.excused += 1


@pytest.mark.long
def test_a_slow_link_with_jitter_brings_no_storm(tmp_path: Path) -> None:
    """F14: 500 ± 400 ms each way and 64 kbit/s. The window finds its size; nothing is sent twice for impatience."""
    with running_site(tmp_path, proxied=True) as site:
        for link in site.uplink.links.values():
            link.latency_s, link.jitter_s, link.bytes_per_s = 0.5, 0.4, 8_000
        site.uplink.refuse()
        assert site.uplink.cut() >= 1
        impatience = Impatience(site)
        site.uplink.rule(impatience)
        site.uplink.refuse(False)
        wait_for(lambda: site.uplink.counts["connections"] >= 2, "another session")
        site.agent.wait_ready(cloud=True)
        acked_before = counter(site, "frames_acked")
        connections = site.uplink.counts["connections"]
        load = Load(site.local_broker.port, "kills")
        burst = RawPublisher(site.local_broker.port)
        burst.publish_all(payloads(10_000))
        took, windows = [], set()
        began = time.monotonic()
        while time.monotonic() - began < (120 if LONG else 12):
            gauges = wait_for(site.agent.status, "status")["gauges"]
            windows.add(gauges["window_frames"])
            took.append(gauges["frames_in_flight"])
            time.sleep(0.2)  # a sample of the window now and then
        assert counter(site, "frames_acked") > acked_before, "nothing came through"
        sent, again = impatience.sent, impatience.impatient
        print(
            f"{sent} frames sent, {again} again for impatience, {impatience.excused} not answered for long by the cloud;"
            f" windows {sorted(windows)}, in flight {statistics.mean(took):.1f}"
        )
        assert again <= sent * 0.05, "a storm of resends"
        assert max(windows) < 64, "the window has filled a link that takes few frames"
        assert site.uplink.counts["connections"] == connections, "the session did not hold"
        acked = load.stop()
        burst.close()
        site.uplink.heal()
        assert_all_stored(site, "kills", acked)


def assert_all_stored(site: Site, device: str, acked: list[int]) -> None:
    """As assert_stored_once, where other devices speak too."""
    found = wait_for(lambda: site.cloud.device(device), "the device")
    wait_for(lambda: len(site.cloud.samples(found["id"], "message_count")) >= len(acked), "telemetry", 30, 0.3)
    stored = [point["value"] for point in site.cloud.samples(found["id"], "message_count")]
    assert sorted(stored) == sorted(acked)
    ledger = wait_for(site.balanced, "the ledger to balance", 40)
    assert ledger["unexplained"] == ledger["declared_dropped"] == 0
    assert ledger["produced"] == ledger["stored"]


@pytest.mark.long
def test_a_flapping_link_makes_progress_and_reconnects_with_jitter(tmp_path: Path) -> None:
    """F16: cut every three seconds."""
    with running_site(tmp_path, proxied=True) as site:
        load = Load(site.local_broker.port, "kills")
        wait_for(lambda: load.sent > 100, "some load")
        site.uplink.connected_at.clear()
        site.uplink.flap(3)
        began, acked = time.monotonic(), [counter(site, "frames_acked")]
        for cuts in range(1, FLAP_S // 3 + 1):
            wait_for(lambda wanted=cuts: site.uplink.counts["flaps"] >= wanted, "the next cut", 30)  # type: ignore[misc]
            acked.append(counter(site, "frames_acked"))
        flaps = site.uplink.counts["flaps"]
        standstills = [len(list(same)) - 1 for _, same in itertools.groupby(acked)]
        # A session may be cut before anything came through, on a busy machine even two of them.
        assert max(standstills) <= 2, f"no progress in {max(standstills)} sessions one after another: {acked}"
        assert acked[-1] > acked[0]
        phases = [(at - began) % 3 for at in site.uplink.connected_at]
        assert len(phases) >= flaps - 1
        # How long the pauses may be is held by property/edge/test_agent.py.
        assert len({round(phase, 3) for phase in phases}) > 1, "everybody would come back at the same moment"
        print(f"{flaps} flaps, {len(phases)} connections, phases {[round(phase, 2) for phase in phases[:6]]}, {acked}")
        site.uplink.heal()
        assert_stored_once(site, "kills", load.stop())


@pytest.mark.long
def test_one_direction_only_deletes_nothing_and_is_named(tmp_path: Path) -> None:
    """F17, up yes, down no: the cloud hears the gateway and shows that the gateway hears nothing."""
    with running_site(tmp_path, proxied=True, LINLI_RESEND_AFTER_MS="2000") as site:
        load = Load(site.local_broker.port, "kills")
        wait_for(lambda: load.sent > 200, "some load")
        wait_for(lambda: gateway(site)["link"] == "both", "a whole link")
        site.uplink.silence("down")
        came_down = site.uplink.counts["bytes_down"]
        stored, sessions = site.cloud.ledger(site.gateway)["stored"], site.uplink.counts["connections"]
        # For as long as the session lasts: then nothing goes up any more either, and there is no direction to be named.
        wait_for(lambda: gateway(site)["link"] == "up_only", "the cloud to name the direction", 1.5 * KEEPALIVE_S)
        assert "linli_gateways_up_only 1.0" in site.cloud.metrics()
        status = wait_for(site.agent.status, "status")
        assert status["cloud"]["link"] == "silent"
        assert site.uplink.counts["connections"] == sessions, "it was another session's death that was seen"
        assert site.cloud.ledger(site.gateway)["stored"] > stored, "the way up was lost too"
        assert site.uplink.counts["bytes_down"] <= came_down + 1_024, "the way down was not lost"
        unacked = gauge(site, "buffered_samples")
        assert unacked > 0, "frames were let go without an acknowledgement"
        site.uplink.heal()
        wait_for(lambda: gateway(site)["link"] == "both", "a whole link again", 40)
        assert_stored_once(site, "kills", load.stop())


@pytest.mark.parametrize("fault", ["drop", "reorder", "double"] if LONG else ["drop"])
def test_acknowledgements_and_frames_lost_doubled_and_reordered_on_the_wire(tmp_path: Path, fault: str) -> None:
    """F18: ingest's acknowledgements, the frames, and (doubled only: MQTT itself has no lost ones) the PUBACKs."""
    with running_site(tmp_path, proxied=True, LINLI_RESEND_AFTER_MS="1000") as site:
        ack, up = topics.ack(site.gateway), "/up/bulk"
        share = {"drop": 0.2, "double": 0.5, "reorder": 0.3}[fault]
        rules = [
            PacketFault("down", PUBLISH, ack, seed=1, **{fault: share}),
            PacketFault("up", PUBLISH, up, seed=2, **{fault: share}),
        ]
        if fault == "double":
            rules.append(PacketFault("down", PUBACK, seed=3, double=0.5))
        for rule in rules:
            site.uplink.rule(rule)
        assert site.uplink.cut() >= 1  # rules see whole packets of connections made from now on
        load = Load(site.local_broker.port, "kills")
        wait_for(
            # A busy machine makes fewer and larger frames of the same load.
            lambda: load.sent > 1_000 and all(rule.dropped + rule.doubled + rule.reordered >= 5 for rule in rules),
            "some load, and each fault to happen five times", 60,
        )  # fmt: skip
        acked = load.stop()
        assert_all_stored(site, "kills", acked)


def test_a_frame_and_an_acknowledgement_played_again_change_nothing(tmp_path: Path) -> None:
    """F18: replay."""
    with running_site(tmp_path, proxied=True) as site:
        site.uplink.rule(lambda packet: None)
        site.uplink.cut()
        load = Load(site.local_broker.port, "kills")

        def passed() -> list[Packet]:
            return [p for p in site.uplink.recorded if p.kind == PUBLISH and p.topic.endswith(("/bulk", "/ack"))]

        wait_for(lambda: len(passed()) >= 20 and load.sent > 300, "some load", 30)
        old = passed()[:20]
        assert {packet.way for packet in old} == {"up", "down"}
        for packet in old:
            site.uplink.replay(packet)
        assert site.uplink.counts["replayed"] >= 20
        assert_stored_once(site, "kills", load.stop())
        assert "linli_ingest_duplicates_total 0.0" not in site.cloud.metrics(), "the copies did not arrive"
