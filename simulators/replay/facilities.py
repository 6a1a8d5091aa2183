"""The data sets, row by row: charging sessions, car parks, bins, rooms. Nothing is cleaned: the product judges."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from contracts.reading import Value
from simulators.replay.readings import DataReading, DatasetError, device_id, number, rows, utc_ms, zone_of

_UTC = ZoneInfo("UTC")


def _session(
    device: str, connect_ms: int, start_ms: int, end_ms: int | None, disconnect_ms: int, energy_wh: int | float
) -> Iterator[DataReading]:
    """What a charging session's times say: plugged in, charging, the car is done, unplugged with the energy."""
    begins = "Charging" if start_ms <= connect_ms else "Preparing"
    yield DataReading(device, "charging", connect_ms, {"plugged": True, "connector_status": begins})
    if start_ms > connect_ms:
        yield DataReading(device, "charging", start_ms, {"connector_status": "Charging"})
    if end_ms is not None and end_ms < disconnect_ms:
        yield DataReading(device, "charging", end_ms, {"connector_status": "SuspendedEV"})
    samples: dict[str, Value] = {
        "plugged": False,
        "connector_status": "Available",
        "session_energy": energy_wh,
        "session_duration": (disconnect_ms - connect_ms) // 1000,
    }
    yield DataReading(device, "charging", disconnect_ms, samples)


def ev_acn_jpl(folder: Path) -> Iterator[DataReading]:
    """Sessions of 52 charge points; session_energy at the end of each, from kWh."""
    for row in rows(folder, "sessions.csv.gz"):
        at = {
            name: utc_ms(row[f"{name}_utc"], _UTC) for name in ("connect", "charge_start", "charge_end", "disconnect")
        }
        device = device_id("acn-jpl", row["station"])
        energy = number(row["energy_kwh"], 1000)
        yield from _session(device, at["connect"], at["charge_start"], at["charge_end"], at["disconnect"], energy)


def ev_acn_caltech_raw(folder: Path) -> Iterator[DataReading]:
    """Sessions as the vendor's web API gives them; the start of charging is not told, so it is the connection."""
    path = folder / "sessions.json.gz"
    if not path.is_file():
        raise DatasetError(f"the data set is not there: {path}")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        sessions: list[dict[str, Any]] = json.load(file)
    for session in sessions:
        connect_ms, done_ms, disconnect_ms = (
            round(parsedate_to_datetime(session[name]).astimezone(UTC).timestamp() * 1000) if session[name] else None
            for name in ("connectionTime", "doneChargingTime", "disconnectTime")
        )
        if connect_ms is None or disconnect_ms is None:
            continue
        energy = number(str(session["kWhDelivered"]), 1000)
        device = device_id("acn-caltech", session["stationID"])
        yield from _session(device, connect_ms, connect_ms, done_ms, disconnect_ms, energy)


def parking_birmingham(folder: Path) -> Iterator[DataReading]:
    """Cars in 30 car parks, local time; negative counts and counts above capacity as they are."""
    zone = zone_of("Europe/London")
    for row in rows(folder, "readings.csv.gz"):
        samples: dict[str, Value] = {
            "occupied_spaces": number(row["Occupancy"]),
            "total_spaces": number(row["Capacity"]),
        }
        device = device_id("birmingham", row["SystemCodeNumber"])
        yield DataReading(device, "parking", utc_ms(row["LastUpdated"], zone), samples)


def parking_germany(folder: Path) -> Iterator[DataReading]:
    """Free places of 70 car parks, a reading where the number changed; negative counts and spikes as they are."""
    for row in rows(folder, "free_spaces.csv.gz"):
        observed_ms = utc_ms(row.pop("ts_utc"), _UTC)
        for place, free in row.items():
            if free:
                yield DataReading(device_id("germany", place), "parking", observed_ms, {"free_spaces": number(free)})


def bins_spain_paper(folder: Path) -> Iterator[DataReading]:
    """Filling of 217 containers, a row a working day; the day's midnight in Spain is the time."""
    zone = zone_of("Europe/Madrid")
    for row in rows(folder, "fill_pct.csv.gz"):
        observed_ms = utc_ms(row.pop("date"), zone)
        for container, percent in row.items():
            if percent:
                yield DataReading(device_id("spain", container), "waste", observed_ms, {"fill_level": number(percent)})


def building_occupancy_uci(folder: Path) -> Iterator[DataReading]:
    """One office room by the minute. Presence (0/1, from photographs) has no metric and is not sent."""
    zone = zone_of("Europe/Brussels")
    columns = {"Temperature": "temperature", "Humidity": "humidity", "Light": "illuminance", "CO2": "co2"}
    for row in rows(folder, "office.csv.gz"):
        samples: dict[str, Value] = {metric: number(row[column]) for column, metric in columns.items()}
        yield DataReading("uci-office", "building", utc_ms(row["date"], zone), samples)


def building_sml2010(folder: Path) -> Iterator[DataReading]:
    """Two rooms of a house, quarter-hour means."""
    zone = zone_of("Europe/Madrid")
    for row in rows(folder, "house.csv.gz"):
        day, month, year = row["Date"].split("/")
        observed_ms = utc_ms(f"{year}-{month}-{day} {row['Time']}", zone)
        for room in ("Comedor", "Habitacion"):
            samples: dict[str, Value] = {
                "temperature": number(row[f"Temperature_{room}_Sensor"]),
                "co2": number(row[f"CO2_{room}_Sensor"]),
                "humidity": number(row[f"Humedad_{room}_Sensor"]),
                "illuminance": number(row[f"Lighting_{room}_Sensor"]),
            }
            yield DataReading(f"sml2010-{room}", "building", observed_ms, samples)


def building_appliances_uci(folder: Path) -> Iterator[DataReading]:
    """Nine rooms of a house, every ten minutes, rounded by the copy's author."""
    zone = zone_of("Europe/Brussels")
    for row in rows(folder, "rounded_full.csv.gz"):
        day, _, clock = row["date"].partition(" ")
        observed_ms = utc_ms(f"{day} {clock:0>5}", zone)  # hours before ten have one digit
        for room in range(1, 10):
            samples: dict[str, Value] = {
                "temperature": number(row[f"T{room}"]),
                "humidity": number(row[f"RH_{room}"]),
            }
            yield DataReading(f"appliances-room-{room}", "building", observed_ms, samples)
