"""The lease of a charge point that is taken out of its site: what it may still draw counts until the lease is over."""

import asyncio
from pathlib import Path

import msgspec

from contracts.messages import DesiredChargePoint, DesiredCharging
from edge_agent.ocpp.fuse import Charger, may_draw
from edge_agent.ocpp.limits import CHARGERS, Limits
from edge_agent.outbox import Batch
from edge_agent.profiles import SHIPPED, ProfileSet
from tests.property.ocpp.test_sessions import Bench

LEASE_MS = 1_000
LEASED = Charger("GONE", maximum_a=32, confirmed_a=26, fail_safe_a=6)


def test_a_removed_charge_point_counts_until_its_lease_is_over_also_after_a_restart(tmp_path: Path) -> None:
    async def play() -> None:
        bench = Bench(tmp_path, ProfileSet.load([SHIPPED / "ocpp_1.6.yaml"]))
        outbox = bench.opened("kept")
        outbox.commit(Batch(documents={CHARGERS + "GONE": msgspec.msgpack.encode(LEASED)}))
        site = bench.site(outbox)
        site.apply(DesiredCharging(fuse_a=32, charge_points=[DesiredChargePoint(charge_point="STAYS")]))
        clock = [50_000]
        limits = Limits(site, {}, {}, lambda: clock[0], LEASE_MS)
        limits.apply()
        running = asyncio.create_task(limits.run())
        try:
            for passed_ms, left_a in ((0, 26), (LEASE_MS, 26), (LEASE_MS + LEASE_MS // 5 - 1, 26)):
                clock[0] = 50_000 + passed_ms
                limits.apply()  # the desired state comes again: its lease does not begin anew
                await _looked(limits)
                assert may_draw(limits.chargers["GONE"], clock[0], limits.fuse.fall_back_ms) == left_a
            clock[0] += 1
            limits.look()
            async with asyncio.timeout(10):
                while "GONE" in limits.chargers:
                    await asyncio.sleep(0.01)
            assert site.writer.pending.documents[CHARGERS + "GONE"] == b"", "it is remembered no longer"
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(play())


async def _looked(limits: Limits) -> None:
    """One look of the running task is over."""
    limits.look()
    for _ in range(5):
        await asyncio.sleep(0.01)
