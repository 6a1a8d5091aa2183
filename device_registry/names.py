"""Names in two languages, and the names that things get until a person gives them one."""

from typing import NamedTuple


class Name(NamedTuple):
    """What people call a thing, in Chinese and in English."""

    zh: str
    en: str


FACILITY_NAMES = {
    "parking": Name("停车场", "Car park"),
    "charging": Name("充电桩", "Charging piles"),
    "waste": Name("垃圾投放点", "Waste bins"),
    "building": Name("楼宇设施", "Building services"),
}
DEVICE_LABELS = {
    "parking": Name("车位设备", "Parking device"),
    "charging": Name("充电桩", "Charging pile"),
    "waste": Name("垃圾桶", "Waste bin"),
    "building": Name("楼宇传感器", "Building sensor"),
}


def device_name(kind: str, external_id: str, said: str) -> Name:
    """What the device or its network calls it; without that, its kind and its external id."""
    if said.strip():
        return Name(said.strip()[:200], said.strip()[:200])
    label = DEVICE_LABELS[kind]
    return Name(f"{label.zh} {external_id}", f"{label.en} {external_id}")
