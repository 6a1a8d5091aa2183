"""The agent's settings: LINLI_* environment variables over a TOML file over defaults. A wrong one is refused by name."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from contracts.topics import GATEWAY_ID

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SECRETS = frozenset({"cloud_mqtt_password", "local_mqtt_password"})


class SettingsError(Exception):
    """A setting that can't be used; the message names it, its value and what is allowed."""


class Settings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Every setting, with its default. ``LINLI_DATA_DIR`` sets ``data_dir``, and so on."""

    gateway_id: Annotated[str, msgspec.Meta(pattern=GATEWAY_ID.pattern)] = ""
    data_dir: str = "./var/edge"
    local_mqtt_host: Annotated[str, msgspec.Meta(min_length=1)] = "127.0.0.1"
    local_mqtt_port: Port = 1883
    local_mqtt_username: str = ""
    local_mqtt_password: str = ""
    local_mqtt_password_file: str = ""  # holds the password
    cloud_mqtt_host: Annotated[str, msgspec.Meta(min_length=1)] = "127.0.0.1"
    cloud_mqtt_port: Port = 18830
    cloud_mqtt_username: str = ""
    cloud_mqtt_password: str = ""
    cloud_mqtt_password_file: str = ""
    cloud_mqtt_tls_ca: str = ""  # with it: TLS, and never plain text
    cloud_mqtt_plain: bool = False  # a broker off this machine may be spoken to in plain text; else it is refused
    cloud_mqtt_tls_cert: str = ""
    cloud_mqtt_tls_key: str = ""  # the same file as _cert, made by `edge-agent provision`: it is renewed before it ends
    profiles: str = ""  # a folder of further profiles
    profile_key_file: str = ""  # PEM of the cloud's keys, one or two; with it only what they have signed is carried out
    ocpp_host: Annotated[str, msgspec.Meta(min_length=1)] = "0.0.0.0"  # where charge points connect
    ocpp_port: Port = 0  # 0: no central system for charge points
    ocpp_tls_cert: str = ""  # with it: TLS, and never plain text
    ocpp_tls_key: str = ""
    ocpp_lease_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = (
        900  # so long a charge point keeps its limit without us
    )
    ocpp_connections_max: Annotated[int, msgspec.Meta(ge=1, le=4_096)] = 256
    outbox_bytes_max: Annotated[int, msgspec.Meta(ge=1_048_576)] = 1_073_741_824
    outbox_age_ms_max: Annotated[int, msgspec.Meta(ge=0)] = 0  # 0: however old; else older frames are given up
    disk_free_bytes_min: Annotated[int, msgspec.Meta(ge=0)] = 67_108_864  # never more than a sixteenth of the disk
    topic_messages_per_s_max: Annotated[float, msgspec.Meta(ge=0)] = 500  # 0: no limit
    topic_messages_burst: Annotated[int, msgspec.Meta(ge=1)] = 20_000
    commit_linger_ms: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 25
    commit_messages_max: Annotated[int, msgspec.Meta(ge=1, le=4_096)] = 500
    intake_messages_max: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 600
    window_frames_max: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 64
    resend_after_ms: Annotated[int, msgspec.Meta(ge=100)] = 5_000  # at least; more where answers take longer
    reconnect_s_max: Annotated[float, msgspec.Meta(gt=0, le=300)] = 1.5
    heartbeat_s: Annotated[float, msgspec.Meta(gt=0, le=300)] = 5.0
    health_host: str = "127.0.0.1"
    health_port: Port = 0  # 0: a free one, written to agent.json
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    crash_at: str = ""  # tests only: see crash_points

    @property
    def plain_text_fault(self) -> str:
        """Why the agent does not run with these: what it says would go off this machine in plain text. "" when not."""
        if self.cloud_mqtt_tls_ca or self.cloud_mqtt_plain or self.cloud_mqtt_host in LOOPBACK:
            return ""
        return (
            f"{self.cloud_mqtt_host} is not this machine: come in by a claim (edge-agent provision) or set "
            "LINLI_CLOUD_MQTT_TLS_CA; LINLI_CLOUD_MQTT_PLAIN=true is for a network that nobody else is on"
        )

    @property
    def identity_is_ours(self) -> bool:
        """Key and certificate are one file, as `edge-agent provision` makes it: the agent renews it."""
        return bool(self.cloud_mqtt_tls_cert) and self.cloud_mqtt_tls_cert == self.cloud_mqtt_tls_key

    def masked(self) -> dict[str, Any]:
        """What --print-config shows."""
        shown = msgspec.to_builtins(self)
        return {name: "***" if name in SECRETS and value else value for name, value in shown.items()}


def load_settings(config: Path | None, environment: Mapping[str, str]) -> Settings:
    """Defaults, then the file, then the environment. Raises SettingsError."""
    values: dict[str, Any] = {}
    if config is not None:
        try:
            values = tomllib.loads(config.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{config}: {error}") from error
    for name in Settings.__struct_fields__:
        if (value := environment.get(f"LINLI_{name.upper()}")) is not None:
            values[name] = value
    _read_secrets(values)
    for name in values:
        if name not in Settings.__struct_fields__:
            raise SettingsError(f"{name}: there is no such setting; there are {', '.join(Settings.__struct_fields__)}")
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$.")
        name = place.rstrip("`")
        shown = "***" if name in SECRETS else repr(values.get(name))
        raise SettingsError(f"LINLI_{name.upper()} = {shown}: {message}") from error
    certificate = settings.cloud_mqtt_tls_cert or settings.cloud_mqtt_tls_key
    if certificate and not (
        settings.cloud_mqtt_tls_ca and settings.cloud_mqtt_tls_cert and settings.cloud_mqtt_tls_key
    ):
        raise SettingsError(
            "LINLI_CLOUD_MQTT_TLS_CERT and LINLI_CLOUD_MQTT_TLS_KEY go together, and need LINLI_CLOUD_MQTT_TLS_CA"
        )
    if bool(settings.ocpp_tls_cert) is not bool(settings.ocpp_tls_key):
        raise SettingsError("LINLI_OCPP_TLS_CERT and LINLI_OCPP_TLS_KEY go together")
    return settings


def _read_secrets(values: dict[str, Any]) -> None:
    """``X_file`` names the file that holds the secret ``X``. Raises SettingsError."""
    for name in SECRETS:
        if not (path := values.get(f"{name}_file")):
            continue
        if values.get(name):
            raise SettingsError(f"LINLI_{name.upper()} and LINLI_{name.upper()}_FILE are both set; one is enough")
        try:
            values[name] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, ValueError, TypeError) as error:
            raise SettingsError(f"LINLI_{name.upper()}_FILE = {path!r}: {error}") from error
