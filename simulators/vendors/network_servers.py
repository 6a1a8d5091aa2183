"""What LoRaWAN network servers wrap around a device's bytes: ChirpStack 4 and The Things Stack 3."""

import uuid
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import blake2b

import msgspec

from simulators.vendors.message import Message, Stamp
from simulators.world.plan import DeviceSpec

_TENANT = "52f14cd4-c6f1-4fbd-8f87-4025e1d49242"
_APPLICATION = "ca739e26-7b67-4f14-b69e-d568c22a5a75"
_PROFILE = "605d08d4-65f5-4d2c-8a5a-3d2457662f79"
_TTS_APPLICATION = "linli"


def rfc3339(at_ms: int) -> str:
    """``2023-05-22T07:47:05.404+00:00``"""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def chirpstack(spec: DeviceSpec, port: int, data: bytes, stamp: Stamp) -> Message:
    """ChirpStack 4's event ``up``, JSON marshaler. Radio values are plausible and follow from the device's id."""
    mark = blake2b(spec.id.encode(), digest_size=16)
    rssi = -60 - mark.digest()[0] % 50
    at = rfc3339(stamp.at_ms)
    document = {
        "deduplicationId": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{spec.id}/{stamp.number}/{stamp.at_ms}")),
        "time": at,
        "deviceInfo": {
            "tenantId": _TENANT,
            "tenantName": "ChirpStack",
            "applicationId": _APPLICATION,
            "applicationName": spec.facility,
            "deviceProfileId": _PROFILE,
            "deviceProfileName": spec.model,
            "deviceName": spec.en,
            "devEui": spec.id,
            "tags": {},
        },
        "devAddr": mark.hexdigest()[:8],
        "adr": True,
        "dr": 5,
        "fCnt": stamp.number,
        "fPort": port,
        "confirmed": False,
        "data": b64encode(data).decode(),
        "rxInfo": [
            {
                "gatewayId": blake2b(spec.gateway.encode(), digest_size=8).hexdigest(),
                "uplinkId": stamp.number,
                "time": at,
                "rssi": rssi,
                "snr": 9.5,
                "channel": stamp.number % 8,
                "rfChain": 1,
                "location": {},
                "metadata": {"region_common_name": "CN470", "region_config_id": "cn470_10"},
                "crcStatus": "CRC_OK",
            }
        ],
        "txInfo": {
            "frequency": 486300000,
            "modulation": {"lora": {"bandwidth": 125000, "spreadingFactor": 7, "codeRate": "CR_4_5"}},
        },
    }
    return Message(f"application/{_APPLICATION}/device/{spec.id}/event/up", msgspec.json.encode(document))


def things_stack(spec: DeviceSpec, port: int, data: bytes, decoded: dict[str, object], stamp: Stamp) -> Message:
    """The Things Stack 3's uplink message."""
    device = f"eui-{spec.id.lower()}"
    at = rfc3339(stamp.at_ms)
    document = {
        "end_device_ids": {
            "device_id": device,
            "application_ids": {"application_id": _TTS_APPLICATION},
            "dev_eui": spec.id,
        },
        "received_at": at,
        "uplink_message": {
            "f_port": port,
            "f_cnt": stamp.number,
            "frm_payload": b64encode(data).decode(),
            "decoded_payload": decoded,
            "received_at": at,
        },
    }
    return Message(f"v3/{_TTS_APPLICATION}@ttn/devices/{device}/up", msgspec.json.encode(document))
