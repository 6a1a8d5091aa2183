"""How full, when full, when emptied."""

from hypothesis import given
from hypothesis import strategies as st

from cloud_api.bins.filling import Fill, emptyings, full_at_ms, level, status
from contracts.vocabulary import HOUR_MS
from simulators.world.plan import DeviceSpec
from simulators.world.world import World

T0 = 1_790_000_000_000


def test_level_needs_the_height() -> None:
    assert level(400, {}) is None
    assert level(400, {"height_mm": 1000}) == 60.0
    assert level(440, {"height_mm": 1000, "offset_mm": 40}) == 60.0
    assert level(40, {"height_mm": 1000}) == 96.0
    assert level(5000, {"height_mm": 1000}) == 0.0  # it looks at the sky


@given(st.floats(0.5, 5), st.integers(5, 60))
def test_a_steady_bin_is_full_when_it_says(percent_an_hour: float, hours: int) -> None:
    fills = [Fill(T0 + n * HOUR_MS, n * percent_an_hour) for n in range(hours) if n * percent_an_hour < 100]
    found = full_at_ms(fills)
    if len(fills) >= 4 and found is not None:
        assert abs(found - (T0 + 100 / percent_an_hour * HOUR_MS)) < HOUR_MS
    if len(fills) < 4:
        assert found is None


def test_a_wild_echo_does_not_bend_the_forecast() -> None:
    fills = [Fill(T0 + n * HOUR_MS, 2.0 * n) for n in range(20)]
    wild = [*fills[:10], Fill(fills[10].t_ms, 45.0), *fills[11:]]
    clean, bent = full_at_ms(fills), full_at_ms(wild)
    assert clean is not None and bent is not None and abs(clean - bent) < HOUR_MS


def test_one_word_for_people() -> None:
    assert status(None, {}) == "unknown"
    assert status(90.0, {}) == "full"
    assert status(90.0, {"lid_open": True}) == "lid_open"
    assert status(90.0, {"lid_open": True, "tilt_alarm": True}) == "moved"
    assert status(10.0, {"fire_alarm": True}) == "burning"
    assert status(None, {"full_alarm": False}) == "ok"


def test_every_emptying_of_a_simulated_month_is_seen() -> None:
    """The compacting bin counts its collections: each one that emptied more than 30 points is proved, and nothing else."""
    plan = [DeviceSpec(f"bin-{n}", "linli-compactor", "gw-1", "f", f"b-{n}", "桶", "Bin") for n in range(4)]
    world = World(plan, 3, T0)
    fills: dict[str, list[Fill]] = {spec.id: [] for spec in plan}
    counts: dict[str, list[int]] = {spec.id: [] for spec in plan}
    for event in world.run_until(T0 + 30 * 24 * HOUR_MS):
        if event.says and event.says["compactor_state"] == "idle" and event.cause == "period":
            fills[event.device].append(Fill(event.at_ms, float(event.says["fill_level"] or 0)))
            counts[event.device].append(int(event.says["collection_count"] or 0))
    for spec in plan:
        series, count = fills[spec.id], counts[spec.id]
        proved = {emptying.t_ms for emptying in emptyings(series)}
        collected = {
            after.t_ms
            for before, after, b, a in zip(series, series[1:], count, count[1:], strict=False)
            if a > b and before.percent - after.percent > 30
        }
        assert proved == collected and len(collected) > 10
