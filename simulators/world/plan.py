"""What a world is made of: a list of devices, each of a model, each looking at a thing. Pure data."""

from collections.abc import Sequence
from typing import NamedTuple


class DeviceSpec(NamedTuple):
    """One device.

    id        its external id: what a gateway will know it by
    model     a key of ``simulators.world.devices.DEVICES`` and of ``simulators.vendors.VENDORS``
    gateway   the gateway at whose broker it publishes
    facility  the facility that it stands in
    thing     the place, bin, room, ... that it looks at; two devices with one thing see the same truth
    zh, en    its name as painted on it
    """

    id: str
    model: str
    gateway: str
    facility: str
    thing: str
    zh: str
    en: str


KIND_OF_MODEL = {
    "nwave-nps": "parking",
    "linli-barrier": "parking",
    "openevse": "charging",
    "everest": "charging",
    "milesight-em400": "waste",
    "dingtek-df702": "waste",
    "linli-compactor": "waste",
    "milesight-am319": "building",
    "elsys-ers2": "building",
    "tasmota-pow": "building",
    "shelly-plug": "building",
    "zigbee-leak": "building",
    "zigbee-smoke": "building",
    "linli-thermostat": "building",
    "linli-valve": "building",
}

# A hundred devices of a community; larger worlds repeat it, so device n is the same whatever comes after it.
_HUNDRED: tuple[str, ...] = (
    *(["nwave-nps"] * 5 + ["openevse", "milesight-am319", "milesight-em400", "everest", "elsys-ers2"]) * 4,
    *(["nwave-nps"] * 7 + ["tasmota-pow", "zigbee-leak", "linli-valve"]) * 2,
    *(["nwave-nps"] * 7 + ["shelly-plug", "zigbee-smoke", "linli-thermostat"]) * 2,
    *["nwave-nps"] * 7,
    *["linli-barrier", "linli-compactor", "dingtek-df702"],
    *["nwave-nps"] * 8,
    *["milesight-em400", "openevse"],
)
_SHARED_THING = {  # models that look at one thing, by turns: a leak sensor beside its valve
    "zigbee-leak": "water",
    "linli-valve": "water",
    "linli-barrier": "gate",
}


def device_id(model: str, number: int) -> str:
    """An external id in the maker's own manner; ``number`` is unique in the world."""
    if model in ("nwave-nps", "milesight-em400", "milesight-am319", "elsys-ers2", "dingtek-df702"):
        maker = {"nwave-nps": "70b3d50e", "elsys-ers2": "a81758ff", "dingtek-df702": "a8404100"}.get(model, "24e124aa")
        eui = f"{maker}{number:08x}"
        return eui.upper() if model == "dingtek-df702" else eui  # The Things Stack writes it in capitals
    return {
        "openevse": f"openevse-{number:04x}",
        "everest": f"evse-{number}",
        "tasmota-pow": f"pow-{number}",
        "shelly-plug": f"shellyplugsg3-a0b1c2{number:06x}",
        "zigbee-leak": f"0x286d97{number:010x}",
        "zigbee-smoke": f"0x00158d{number:010x}",
    }.get(model, f"{model.removeprefix('linli-')}-{number}")


def plan_of(devices: int) -> tuple[DeviceSpec, ...]:
    """A world of that many devices: communities of a hundred, one gateway each."""
    plan = []
    seen: dict[tuple[str, int], int] = {}
    for number in range(devices):
        model = _HUNDRED[number % len(_HUNDRED)]
        community = number // len(_HUNDRED) + 1
        shared = _SHARED_THING.get(model)
        if shared is None:
            thing = f"{model}-{number}"
        else:
            count = seen[model, community] = seen.get((model, community), 0) + 1
            thing = f"{shared}-{community}-{count}"
        kind = KIND_OF_MODEL[model]
        plan.append(
            DeviceSpec(
                id=device_id(model, number + 1),
                model=model,
                gateway=f"gw-{community}",
                facility=f"{kind}-{community}",
                thing=thing,
                zh=f"{number + 1} 号",
                en=f"No. {number + 1}",
            )
        )
    return tuple(plan)


def check(plan: Sequence[DeviceSpec]) -> None:
    """Raises ValueError naming the device when an id occurs twice at a gateway or a model is unknown."""
    seen = set()
    for spec in plan:
        if spec.model not in KIND_OF_MODEL:
            raise ValueError(f"device {spec.id}: unknown model {spec.model!r}")
        if (spec.gateway, spec.id) in seen:
            raise ValueError(f"device {spec.id} is twice at gateway {spec.gateway}")
        seen.add((spec.gateway, spec.id))
