"""The registry on a real database: migrations from empty, adoption, names, desired state."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from tortoise.context import TortoiseContext
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget

import device_registry as registry
from cloud_api.desired import publish_desired
from cloud_api.records import APPS
from contracts import topics
from contracts.messages import DESIRED_BYTES_MAX, DesiredCharging, DeviceSeen, Discovered, Proposal, Reported
from device_registry import DeviceFilter, Name, Where, adoption
from device_registry.models import Desired
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
            "identity.0002_renewal",
            "people.0001_initial",
            "people.0002_passkeys_and_identities",
            "registry.0001_initial",
            "registry.0002_place",
            "registry.0003_profiles",
            "registry.0004_charging",
            "registry.0005_discovery",
            "registry.0006_former_sources",
            "registry.0007_token_names",
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
        assert (gateway.refused, device.place_id, device.topics, device.since_ms) == ({}, "", [], 0)
        ((_, document),) = await registry.desired_states({}, unsigned)
        assert (document.version, document.profiles, document.charging) == (3, [], None)

    with_registry(database, work)


def test_an_empty_database_gets_at_once_what_the_migrations_come_to(
    database: Where, request: pytest.FixtureRequest
) -> None:
    """Tables, columns, keys and indexes, with their names: a later migration finds what it is written for."""
    sqlite = isinstance(database, str)
    other: Where = (
        f"{database}.other" if isinstance(database, str) else request.getfixturevalue("postgres").new_database()
    )

    async def shape(where: Where, one_by_one: bool) -> dict[str, list[tuple[str, ...]]]:
        config = registry.config(where, APPS)
        if not one_by_one:
            await registry.migrate(where, APPS)
        async with TortoiseContext() as context:
            await context.init(config=config, use_tz=False)
            if one_by_one:
                await MigrationExecutor(context.db(), config["apps"]).migrate()
            found = {}
            for name, query in (SHAPE_SQLITE if sqlite else SHAPE_POSTGRES).items():
                _, rows = await context.db().execute_query(query)
                found[name] = sorted(tuple(str(value) for value in dict(row).values()) for row in rows)
            return found

    async def run() -> None:
        at_once, replayed = await shape(database, False), await shape(other, True)
        assert all(len(rows) > 5 for rows in at_once.values())
        assert at_once == replayed

    asyncio.run(run())


SHAPE_SQLITE = {
    "columns": 'SELECT t.name AS of, c.name, c.type, c."notnull", c.dflt_value, c.pk '
    "FROM sqlite_master t, pragma_table_xinfo(t.name) c WHERE t.type = 'table'",
    "keys": 'SELECT t.name AS of, k."table", k."from", k."to", k.on_delete '
    "FROM sqlite_master t, pragma_foreign_key_list(t.name) k WHERE t.type = 'table'",
    "indexes": 'SELECT t.name AS of, i.name, i."unique", i.origin, c.seqno, c.name AS field FROM sqlite_master t, '
    "pragma_index_list(t.name) i, pragma_index_info(i.name) c WHERE t.type = 'table'",
}
SHAPE_POSTGRES = {
    "columns": "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default "
    "FROM information_schema.columns WHERE table_schema = 'public'",
    "keys": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace",
    "indexes": "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'",
}


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
        found = await registry.devices_at([("gw-willow-1", "d1", NOW), ("gw-willow-1", "nope", NOW)])
        assert found == {("gw-willow-1", "d1", NOW): registry.device_id("gw-willow-1", "d1")}

    with_registry(database, work)


def test_a_moved_device_is_itself_and_its_old_id_is_anothers(database: Where) -> None:
    async def work() -> None:
        await set_up()
        await registry.put_gateway("gw-willow-2", "willow", Name("二号", "Second"), NOW, adopt=True)
        one = await registry.device_seen("gw-willow-1", seen(verbs=["open"]), NOW, adopt=True)
        there = await registry.device_seen("gw-willow-2", seen(at_ms=NOW + 3, profile_version=2), NOW, adopt=False)
        assert one is not None and there is not None
        moved = await registry.move_device(one.id, "gw-willow-2", NOW + 9, at_ms=NOW + 2)
        assert (moved.id, moved.gateway_id, moved.profile_version, moved.verbs) == (one.id, "gw-willow-2", 2, [])
        with pytest.raises(registry.NotFound):
            await registry.device(there.id)  # it was this one
        desired = dict(await registry.desired_states({}, unsigned))
        devices = {gateway: [each.device for each in document.devices] for gateway, document in desired.items()}
        assert devices == {"gw-willow-1": [], "gw-willow-2": ["70b3d5"]}
        assert desired["gw-willow-1"].away == {"70b3d5": NOW + 2} and desired["gw-willow-2"].away == {}

        late = await registry.device_seen("gw-willow-1", seen(at_ms=NOW + 1, profile_version=9), NOW, adopt=True)
        assert late is None and (await registry.device(one.id)).profile_version == 2
        another = await registry.device_seen("gw-willow-1", seen(at_ms=NOW + 4), NOW, adopt=True)
        assert another is not None and (another.status, another.since_ms) == ("pending", NOW + 2)
        assert another.id == registry.device_id("gw-willow-1", "70b3d5", 1) != one.id
        events = [("gw-willow-1", "70b3d5", NOW + 1), ("gw-willow-1", "70b3d5", NOW + 2)]
        assert list((await registry.devices_at(events)).values()) == [one.id, another.id]

    with_registry(database, work)


def test_a_gateway_has_a_bounded_number_of_devices(database: Where, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        monkeypatch.setattr(adoption, "DEVICES_MAX", 2)
        await registry.devices_seen("gw-willow-1", [seen("a"), seen("b")], NOW, adopt=True)  # nobody knows it yet
        with pytest.raises(registry.Conflict, match="told of 2 devices"):
            await registry.device_seen("gw-willow-1", seen("c"), NOW, adopt=True)
        await set_up()
        with pytest.raises(registry.Conflict, match="more than 2 devices"):
            await registry.device_seen("gw-willow-1", seen("c"), NOW, adopt=True)
        assert await registry.device_seen("gw-willow-1", seen("b", NOW + 1), NOW, adopt=True) is not None
        assert len(await registry.devices(DeviceFilter())) == 2

    with_registry(database, work)


def test_two_who_change_a_sites_charging_at_once_lose_nothing(database: Where) -> None:
    async def work() -> None:
        await set_up()
        counted = []

        def more(before: DesiredCharging | None) -> DesiredCharging:
            counted.append(before.fuse_a if before else 0)
            return DesiredCharging(fuse_a=counted[-1] + 1)

        await asyncio.gather(*(registry.put_site_charging("gw-willow-1", more, NOW, lambda: "tok-1") for _ in range(5)))
        charging = await registry.site_charging("gw-willow-1")
        assert charging is not None and (charging.fuse_a, counted) == (5, [0, 1, 2, 3, 4])

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

        row = await registry.adopt_discovery(
            "gw-willow-1", "t/299", registry.Reads("shelly/plug", 1, "building"), "u", NOW
        )
        assert row.topics == ["t/299"]
        # Another profile reads a device of this id on topics of its own: the one that was chosen stays.
        await registry.device_seen("gw-willow-1", seen("u", NOW + 400, profile="nwave/nps"), NOW, adopt=True)
        assert (await registry.device(row.id)).profile == "shelly/plug"

    with_registry(database, work)


def test_a_desired_state_that_fits_no_message_is_refused_and_stops_nobody(database: Where) -> None:
    async def work() -> None:
        await set_up()
        await registry.put_gateway("gw-willow-2", "willow", Name("二号", "Second"), NOW, adopt=True)
        (first,) = await registry.devices_seen("gw-willow-1", [seen("first")], NOW, adopt=True)
        await registry.devices_seen("gw-willow-2", [seen("other")], NOW, adopt=True)
        many = {f"parameter_{number:05}": 0.5 for number in range(36_000)}
        await registry.change_device(first.id, NOW, parameters=many)
        ((_, large), _) = await registry.desired_states({}, unsigned)
        size = len(msgspec.msgpack.encode(large))
        assert DESIRED_BYTES_MAX - 40_000 < size <= DESIRED_BYTES_MAX

        with pytest.raises(registry.DesiredTooLarge, match=r"'gw-willow-1' would be 9.*917,504 at most"):
            await registry.change_device(first.id, NOW, parameters={**many, **{f"p{n}": 0.5 for n in range(3_000)}})
        # Nobody is there to be told no: the devices are kept, and wait for a person.
        sightings = [seen(f"{number:0128}", profile="m/" + "p" * 118) for number in range(200)]
        assert {row.status for row in await registry.devices_seen("gw-willow-1", sightings, NOW, adopt=True)} == {
            "pending"
        }
        kept = await registry.devices(DeviceFilter(gateway="gw-willow-1", status="pending"))
        assert len(kept) == 200 and kept[0].adopted_ms is None
        ((_, after), _) = await registry.desired_states({}, unsigned)
        assert after == large, "something of what was refused is there"

        # One of an earlier version of Linli: it is passed over, and the others' are published.
        await Desired.filter(gateway_id="gw-willow-1").update(devices=[*msgspec.to_builtins(large.devices)] * 2)
        published: dict[str, int] = {}

        async def publish(topic: str, payload: bytes, retain: bool = False) -> bool:
            published[topic] = len(payload)
            return True

        publishing = asyncio.create_task(publish_desired(publish, unsigned, msgspec.msgpack.encode, lambda gateway: 0))
        async with asyncio.timeout(10):
            while not published:
                await asyncio.sleep(0.01)
        publishing.cancel()
        assert set(published) == {topics.desired("gw-willow-2")}

    with_registry(database, work)
