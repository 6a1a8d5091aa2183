"""The demo's two communities, as data: names, facilities, gateways, and every device with its gateway and facility."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from simulators.world.plan import DeviceSpec, device_id


class Name(NamedTuple):
    """A name in both languages."""

    zh: str
    en: str


class Gateway(NamedTuple):
    """A gateway of a community."""

    id: str
    community: str
    names: Name


class _Row(NamedTuple):
    """``devices`` devices of one model in one facility at one gateway. {n} in a name is the running number."""

    gateway: str
    facility: str
    model: str
    devices: int
    zh: str
    en: str
    thing: str = ""  # shared by the rows that name it: number n of one looks at what number n of the other looks at


_LIUYUAN = (
    _Row("gw-liuyuan-1", "liuyuan-parking", "nwave-nps", 20, "A-{n:02}", "A-{n:02}"),
    _Row("gw-liuyuan-1", "liuyuan-parking", "linli-barrier", 1, "北门道闸", "North gate barrier"),
    _Row("gw-liuyuan-1", "liuyuan-charging", "openevse", 4, "充电桩 {n}", "Charger {n}", "bay"),
    _Row("gw-liuyuan-1", "liuyuan-parking", "nwave-nps", 4, "充电位 {n}", "Charging bay {n}", "bay"),
    _Row("gw-liuyuan-1", "liuyuan-charging", "everest", 2, "三相充电桩 {n}", "Three-phase charger {n}"),
    _Row("gw-liuyuan-2", "liuyuan-parking", "nwave-nps", 12, "B-{n:02}", "B-{n:02}"),
    _Row("gw-liuyuan-2", "liuyuan-waste", "milesight-em400", 3, "垃圾桶 {n}", "Bin {n}"),
    _Row("gw-liuyuan-2", "liuyuan-waste", "dingtek-df702", 2, "厨余桶 {n}", "Food waste bin {n}"),
    _Row("gw-liuyuan-2", "liuyuan-waste", "linli-compactor", 1, "压缩垃圾桶", "Compacting bin"),
    _Row("gw-liuyuan-2", "liuyuan-building", "milesight-am319", 3, "活动室 {n} 空气", "Common room {n} air", "room"),
    _Row(
        "gw-liuyuan-2", "liuyuan-building", "linli-thermostat", 3, "活动室 {n} 温控", "Common room {n} heating", "room"
    ),
    _Row("gw-liuyuan-2", "liuyuan-building", "elsys-ers2", 2, "门厅 {n}", "Lobby {n}"),
    _Row("gw-liuyuan-2", "liuyuan-building", "tasmota-pow", 1, "公共照明电表", "Common lighting meter"),
    _Row("gw-liuyuan-2", "liuyuan-building", "shelly-plug", 2, "水泵开关 {n}", "Pump switch {n}"),
    _Row("gw-liuyuan-2", "liuyuan-building", "zigbee-leak", 2, "泵房 {n} 漏水", "Pump room {n} leak", "water"),
    _Row("gw-liuyuan-2", "liuyuan-building", "linli-valve", 2, "泵房 {n} 水阀", "Pump room {n} valve", "water"),
    _Row("gw-liuyuan-2", "liuyuan-building", "zigbee-smoke", 2, "{n} 号楼梯烟感", "Stairwell {n} smoke"),
)
_JIANGWAN = (
    _Row("gw-jiangwan-1", "jiangwan-parking", "nwave-nps", 20, "C-{n:02}", "C-{n:02}"),
    _Row("gw-jiangwan-1", "jiangwan-parking", "linli-barrier", 1, "东门道闸", "East gate barrier"),
    _Row("gw-jiangwan-1", "jiangwan-charging", "openevse", 4, "充电桩 {n}", "Charger {n}", "bay"),
    _Row("gw-jiangwan-1", "jiangwan-parking", "nwave-nps", 4, "充电位 {n}", "Charging bay {n}", "bay"),
    _Row("gw-jiangwan-1", "jiangwan-charging", "everest", 2, "三相充电桩 {n}", "Three-phase charger {n}"),
    _Row("gw-jiangwan-1", "jiangwan-waste", "milesight-em400", 3, "垃圾桶 {n}", "Bin {n}"),
    _Row("gw-jiangwan-1", "jiangwan-waste", "linli-compactor", 1, "压缩垃圾桶", "Compacting bin"),
    _Row("gw-jiangwan-1", "jiangwan-building", "milesight-am319", 2, "会所 {n} 空气", "Clubhouse {n} air", "room"),
    _Row("gw-jiangwan-1", "jiangwan-building", "linli-thermostat", 2, "会所 {n} 温控", "Clubhouse {n} heating", "room"),
    _Row("gw-jiangwan-1", "jiangwan-building", "elsys-ers2", 2, "门厅 {n}", "Lobby {n}"),
    _Row("gw-jiangwan-1", "jiangwan-building", "tasmota-pow", 1, "电梯电表", "Lift meter"),
    _Row("gw-jiangwan-1", "jiangwan-building", "shelly-plug", 1, "景观灯开关", "Garden light switch"),
    _Row("gw-jiangwan-1", "jiangwan-building", "zigbee-leak", 2, "地下室 {n} 漏水", "Basement {n} leak", "water"),
    _Row("gw-jiangwan-1", "jiangwan-building", "linli-valve", 1, "地下室 {n} 水阀", "Basement {n} valve", "water"),
    _Row("gw-jiangwan-1", "jiangwan-building", "zigbee-smoke", 2, "{n} 号楼梯烟感", "Stairwell {n} smoke"),
)


def _devices(rows: tuple[_Row, ...], first: int) -> Iterator[DeviceSpec]:
    number = first
    for row in rows:
        for n in range(1, row.devices + 1):
            yield DeviceSpec(
                id=device_id(row.model, number),
                model=row.model,
                gateway=row.gateway,
                facility=row.facility,
                thing=f"{row.gateway}/{row.thing}/{n}" if row.thing else f"{row.model}/{number}",
                zh=row.zh.format(n=n),
                en=row.en.format(n=n),
            )
            number += 1


COMMUNITIES: Mapping[str, Name] = {
    "liuyuan": Name("柳园小区", "Willow Gardens"),
    "jiangwan": Name("江湾家园", "River Bend"),
}
FACILITIES: Mapping[str, Name] = {
    "parking": Name("停车场", "Parking"),
    "charging": Name("充电站", "Charging station"),
    "waste": Name("垃圾投放点", "Waste point"),
    "building": Name("公共楼宇", "Common building"),
}
"""Kind -> name: each community has one facility of each kind, ``<community>-<kind>``."""

GATEWAYS: tuple[Gateway, ...] = (
    Gateway("gw-liuyuan-1", "liuyuan", Name("车库网关", "Garage gateway")),
    Gateway("gw-liuyuan-2", "liuyuan", Name("楼宇网关", "Building gateway")),
    Gateway("gw-jiangwan-1", "jiangwan", Name("江湾网关", "River Bend gateway")),
)
"""In the order in which they get their brokers' ports."""

CHARGE_POINTS_GATEWAY = GATEWAYS[0].id
"""Where the demo's charge points connect that speak OCPP; the other chargers speak on the local broker."""
CHARGE_POINT_PREFIX = "LY-CP-"
CHARGE_POINTS = 3


def charging_site(password: str) -> dict[str, object]:
    """The settings of the demo's charging site, for the cloud's API. password: of every charge point."""
    names = [f"{CHARGE_POINT_PREFIX}{number:03d}" for number in range(1, CHARGE_POINTS + 1)]
    return {
        "fuse_a": 40,
        "fail_safe_a": 6,
        "charge_points": [
            {"charge_point": name, "password": password, "current_max_a": 16, "phases": 3} for name in names
        ],
        "tokens": [
            {"name": f"10{number} 室 · Flat 10{number}", "id_tag": f"CARD-{name}-1"}
            for number, name in enumerate(names, 1)
        ],
    }


def demo_devices() -> tuple[DeviceSpec, ...]:
    """All devices of both communities: the demo's world."""
    return (*_devices(_LIUYUAN, 0x101), *_devices(_JIANGWAN, 0x201))


def bays() -> dict[tuple[str, str], tuple[str, str]]:
    """(gateway, charger) -> (gateway, the sensor in the ground before it)."""
    sensors = {spec.thing: (spec.gateway, spec.id) for spec in demo_devices() if spec.model == "nwave-nps"}
    return {
        (spec.gateway, spec.id): sensors[spec.thing]
        for spec in demo_devices()
        if spec.model != "nwave-nps" and spec.thing in sensors
    }
