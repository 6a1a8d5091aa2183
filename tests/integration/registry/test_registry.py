"""The registry on a real database: migrations from empty, adoption, names, desired state."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tortoise.context import TortoiseContext
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget

import device_registry as registry
from cloud_api.records import APPS
from contracts.messages import DeviceSeen, Discovered, Proposal, Reported
from device_registry import DeviceFilter, Name, Where
from tests.postgres import Postgres
from tests.unsigned import unsigned

NOW = 1_790_000_000_000
WILLOW = Name("柳园", "Willow Garden")


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Where:
    """Every engine that the registry supports."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path / 'registry.sqlite'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


def with_registry(url: Where, work: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await registry.migrate(url, APPS)
        async with registry.open_database(url, APPS):
            await work()

    asyncio.run(run())


def seen(device: str = "70b3d5", at_ms: int = NOW, **changes: object) -> DeviceSeen:
    values = {"profile": "nwave/nps", "profile_version": 1, "kind": "parking", "name": "A-07", "verbs": []}
    return DeviceSeen(device=device, at_ms=at_ms, **{**values, **changes})  # type: ignore[arg-type]


async def set_up() -> None:
    await registry.put_community("willow", WILLOW, NOW)
    await registry.put_gateway("gw-willow-1", "willow", Name("柳园网关", "Willow gateway"), NOW, adopt=True)


def test_migrations_from_empty_and_again(database: Where) -> None:
    async def run() -> None:
        assert sorted(await registry.migrate(database, APPS)) == [
            "approvals.0001_initial",
            "charging.0001_initial",
            "commands.0001_initial",
            "commands.0002_selection",
            "identity.0001_initial",
            "registry.0001_initial",
            "registry.0002_place",
            "registry.0003_profiles",
            "registry.0004_charging",
            "registry.0005_discovery",
            "registry.0006_token_names",
        ]
        assert await registry.migrate(database, APPS) == []

    asyncio.run(run())


def test_a_registry_of_the_first_release_with_all_it_holds_is_brought_up_to_date(database: Where) -> None:
    """A new column of a table that has rows needs a value for them."""

    async def first_release() -> None:
        config = registry.config(database)
        async with TortoiseContext() as context:
            await context.init(config=config, use_tz=False)
            executor = MigrationExecutor(context.db(), config["apps"])
            await executor.migrate([MigrationTarget("registry", "0001_initial")])
            name = "'柳园', 'Willow'"
            for statement in (
                f"INSERT INTO community (name_zh, name_en, id, created_ms) VALUES ({name}, 'willow', 1)",
                f"INSERT INTO facility (name_zh, name_en, id, community_id, kind, created_ms) "
                f"VALUES ({name}, 'willow-parking', 'willow', 'parking', 1)",
                f"INSERT INTO gateway (name_zh, name_en, id, community_id, created_ms, reported_version, reported_reason, "
                f"reported_ms) VALUES ({name}, 'gw-willow-1', 'willow', 1, 0, '', 0)",
                "INSERT INTO desired (gateway_id, version, devices, changed_ms) VALUES ('gw-willow-1', 3, '[]', 1)",
                f"INSERT INTO device (name_zh, name_en, id, community_id, facility_id, gateway_id, external_id, kind, profile, "
                f"profile_version, verbs, parameters, status, named_by, first_seen_ms, seen_ms) VALUES ({name}, 'dev-1', "
                f"'willow', 'willow-parking', 'gw-willow-1', 'a-07', 'parking', 'nwave/nps', 1, '[]', '{{}}', 'adopted', "
                f"'source', 1, 1)",
            ):
                await context.db().execute_script(statement)

    asyncio.run(first_release())

    async def work() -> None:
        gateway, device = await registry.gateway("gw-willow-1"), await registry.device("dev-1")
        assert (gateway.refused, device.place_id, device.topics) == ({}, "", [])
        ((_, document),) = await registry.desired_states({}, unsigned)
        assert (document.version, document.profiles, document.charging) == (3, [], None)

    with_registry(database, work)


def test_the_migrations_make_what_the_models_say(database: Where) -> None:
    async def run() -> None:
        config = registry.config(database, APPS)
        async with TortoiseContext() as context:
            await context.init(config=config)
            assert context.apps is not None
            assert await MigrationAutodetector(context.apps, config["apps"]).changes() == []

    asyncio.run(run())


def test_what_is_put_twice_is_there_once(database: Where) -> None:
    async def work() -> None:
        await set_up()
        await set_up()
        assert [row.id for row in await registry.communities("", 10)] == ["willow"]
        assert [row.id for row in await registry.gateways("", 10)] == ["gw-willow-1"]

    with_registry(database, work)


def test_a_gateway_does_not_change_its_community(database: Where) -> None:
    async def work() -> None:
        await set_up()
        await registry.put_community("plum", Name("梅园", "Plum Garden"), NOW)
        with pytest.raises(registry.Conflict):
            await registry.put_gateway("gw-willow-1", "plum", WILLOW, NOW, adopt=True)
        with pytest.raises(registry.NotFound):
            await registry.put_gateway("gw-x", "nowhere", WILLOW, NOW, adopt=True)

    with_registry(database, work)


def test_a_seen_device_is_placed_and_named(database: Where) -> None:
    async def work() -> None:
        await set_up()
        row = await registry.device_seen("gw-willow-1", seen(), NOW, adopt=True)
        assert row is not None
        assert (row.id, row.status) == (registry.device_id("gw-willow-1", "70b3d5"), "adopted")
        assert (row.name_zh, row.name_en, row.facility_id) == ("A-07", "A-07", "willow-parking")
        facility = await registry.facility("willow-parking")
        assert (facility.name_zh, facility.name_en) == ("停车场", "Car park")
        nameless = await registry.device_seen(
            "gw-willow-1", seen("openevse-0a01", kind="charging", name=""), NOW, adopt=True
        )
        assert nameless is not None
        assert (nameless.name_zh, nameless.name_en) == ("充电桩 openevse-0a01", "Charging pile openevse-0a01")

    with_registry(database, work)


def test_device_ids_are_stable() -> None:
    assert registry.device_id("gw-liuyuan-1", "70b3d52dd6000a07") == registry.device_id(
        "gw-liuyuan-1", "70b3d52dd6000a07"
    )
    assert len(registry.device_id("gw-liuyuan-1", "x")) == 20
    assert registry.device_id("gw-a", "b/c") != registry.device_id("gw-a", "b")


def test_sightings_may_come_twice_and_in_any_order(database: Where) -> None:
    async def work() -> None:
        await set_up()
        newer = seen(at_ms=NOW + 5, profile_version=2, name="A-07b")
        for sighting in (newer, seen(), newer, seen()):
            await registry.device_seen("gw-willow-1", sighting, NOW, adopt=True)
        (row,) = await registry.devices(DeviceFilter(gateway="gw-willow-1"))
        assert (row.profile_version, row.name_en) == (2, "A-07b")

    with_registry(database, work)


def test_a_persons_name_stays(database: Where) -> None:
    async def work() -> None:
        await set_up()
        row = await registry.device_seen("gw-willow-1", seen(), NOW, adopt=True)
        assert row is not None
        await registry.change_device(row.id, NOW, name=Name("一号位", "Place one"))
        again = await registry.device_seen("gw-willow-1", seen(at_ms=NOW + 1, profile_version=2), NOW, adopt=True)
        assert again is not None and (again.name_en, again.profile_version) == ("Place one", 2)

    with_registry(database, work)


def test_two_thousand_devices_seen_at_once_are_one_version(database: Where) -> None:
    """Each version names every device: one a device would be two million names, and minutes."""

    async def work() -> None:
        await set_up()
        devices = [seen(f"d-{number:04}", profile_version=1 + number % 2) for number in range(2_000)]
        again = [seen("d-0007", at_ms=NOW + 1, name="A-08"), seen("d-0008", at_ms=NOW - 1, name="older")]
        rows = await registry.devices_seen("gw-willow-1", [*devices, *again, *devices], NOW, adopt=True)
        assert len({row.id for row in rows}) == 2_000
        assert await registry.desired_versions(["gw-willow-1"]) == {"gw-willow-1": 1}
        ((_, document),) = await registry.desired_states({}, unsigned)
        assert [device.device for device in document.devices] == [device.device for device in devices]
        stored = await registry.devices(DeviceFilter(gateway="gw-willow-1"))
        named = {row.external_id: row.name_zh for row in stored if row.name_zh != "A-07"}
        assert (len(stored), named) == (2_000, {"d-0007": "A-08"})

    with_registry(database, work)


def test_a_device_seen_before_its_gateway_is_known_is_placed_later(database: Where) -> None:
    async def work() -> None:
        assert await registry.device_seen("gw-willow-1", seen(), NOW, adopt=True) is None
        assert await registry.devices(DeviceFilter()) == []
        await set_up()
        (row,) = await registry.devices(DeviceFilter())
        assert (row.community_id, row.status) == ("willow", "adopted")

    with_registry(database, work)


def test_pending_until_a_person_adopts_it(database: Where) -> None:
    async def work() -> None:
        await set_up()
        row = await registry.device_seen("gw-willow-1", seen(), NOW, adopt=False)
        assert row is not None and (row.status, row.adopted_ms) == ("pending", None)
        assert await registry.desired_states({}, unsigned) == []
        adopted = await registry.adopt_device(row.id, NOW + 9)
        assert (adopted.status, adopted.adopted_ms) == ("adopted", NOW + 9)
        ((gateway, document),) = await registry.desired_states({}, unsigned)
        assert (gateway, document.version, [device.device for device in document.devices]) == (
            "gw-willow-1",
            1,
            ["70b3d5"],
        )

    with_registry(database, work)


def test_the_desired_version_grows_only_with_a_change(database: Where) -> None:
    async def work() -> None:
        await set_up()
        row = await registry.device_seen("gw-willow-1", seen(), NOW, adopt=True)
        assert row is not None
        await registry.device_seen("gw-willow-1", seen(at_ms=NOW + 1, profile_version=2), NOW, adopt=True)
        assert await registry.desired_versions(["gw-willow-1"]) == {"gw-willow-1": 1}
        await registry.change_device(row.id, NOW, parameters={"height_mm": 1200.0})
        assert await registry.desired_states({"gw-willow-1": 2}, unsigned) == []
        ((_, document),) = await registry.desired_states({"gw-willow-1": 1}, unsigned)
        assert document.version == 2 and document.devices[0].parameters == {"height_mm": 1200.0}

    with_registry(database, work)


def test_a_document_that_is_behind_its_gateway_outgrows_it(database: Where) -> None:
    """After a restore from an older backup: gateways refuse what is older than what they use."""

    async def work() -> None:
        await set_up()
        await registry.device_seen("gw-willow-1", seen(), NOW, adopt=True)
        used = {"gw-willow-1": 7}
        assert await registry.outgrow_applied(lambda gateway: used.get(gateway, 0)) == {"gw-willow-1": 8}
        ((_, document),) = await registry.desired_states({}, unsigned)
        assert (document.version, document.gateway) == (8, "gw-willow-1")
        used["gw-willow-1"] = 8
        assert await registry.outgrow_applied(lambda gateway: used.get(gateway, 0)) == {}
        assert await registry.outgrow_applied(lambda gateway: 2**62) == {}, "nonsense is not believed"

    with_registry(database, work)


def test_reports_may_come_late(database: Where) -> None:
    async def work() -> None:
        await set_up()
        await registry.reported("gw-willow-1", Reported(version=2, applied=True, at_ms=NOW + 2))
        await registry.reported("gw-willow-1", Reported(version=1, applied=True, at_ms=NOW + 1))
        await registry.reported(
            "gw-willow-1", Reported(version=3, applied=False, reason="profile_unknown", at_ms=NOW + 3)
        )
        row = await registry.gateway("gw-willow-1")
        assert (row.reported_version, row.reported_reason) == (2, "profile_unknown")

    with_registry(database, work)


def test_lists_go_on_after_an_id_and_filter(database: Where) -> None:
    async def work() -> None:
        await set_up()
        for number in range(5):
            await registry.device_seen("gw-willow-1", seen(f"d{number}", name=f"位 {number}"), NOW, adopt=True)
        everything = [row.id for row in await registry.devices(DeviceFilter(community="willow"))]
        assert everything == sorted(everything) and len(everything) == 5
        first = await registry.devices(DeviceFilter(), limit=2)
        rest = await registry.devices(DeviceFilter(), after=first[-1].id)
        assert [row.id for row in [*first, *rest]] == everything
        assert [row.external_id for row in await registry.devices(DeviceFilter(q="位 3"))] == ["d3"]
        assert await registry.devices(DeviceFilter(kind="waste")) == []
        found = await registry.devices_at([("gw-willow-1", "d1"), ("gw-willow-1", "nope")])
        assert found == {("gw-willow-1", "d1"): registry.device_id("gw-willow-1", "d1")}

    with_registry(database, work)


def test_discoveries_are_bounded_and_the_newest_word_counts(database: Where) -> None:
    async def work() -> None:
        await set_up()
        plug = Proposal(
            profile="shelly/plug", profile_version=1, kind="building", score=1, device="u", values={"on": True}
        )
        for number in (7, *range(300), 299):
            found = Discovered(
                topic=f"t/{number}",
                count=1,
                size_bytes=2,
                head=b"\x00\xff",
                proposals=[plug],
                first_ms=1,
                at_ms=NOW + number,
            )
            await registry.discovered("gw-willow-1", found)
        rows = await registry.discoveries("gw-willow-1", "open")
        assert [row.topic for row in rows] == [f"t/{number}" for number in reversed(range(44, 300))]
        assert (bytes(rows[0].head), rows[0].proposals[0]["values"]) == (b"\x00\xff", {"on": True})

        row = await registry.adopt_discovery("gw-willow-1", "t/299", "shelly/plug", "u", NOW)
        assert row.topics == ["t/299"]
        # Another profile reads a device of this id on topics of its own: the one that was chosen stays.
        await registry.device_seen("gw-willow-1", seen("u", NOW + 400, profile="nwave/nps"), NOW, adopt=True)
        assert (await registry.device(row.id)).profile == "shelly/plug"

    with_registry(database, work)
