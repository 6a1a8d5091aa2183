"""The cloud's settings: LINLI_* environment variables over a TOML file over defaults. A wrong one is refused by name."""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import (
    SettingsError as SourceError,
)

Port = Annotated[int, Field(ge=1, le=65_535)]
Days = Annotated[int, Field(ge=0, le=36_500)]
AUDIT_DAYS_MIN = 183
"""Security logs are kept for half a year at least."""


FORMER_NAMES = {"LINLI_PROFILE_SIGNING_KEY": "LINLI_SIGNING_KEY"}
"""A name that is not known is passed over, and with another key gateways would take nothing from this cloud."""


class SettingsError(Exception):
    """A setting that can't be used; the message names it, its value and what is allowed."""


class Settings(BaseSettings):
    """Every setting, with its default. ``LINLI_DATA_DIR`` sets ``data_dir``, and so on.

    http_host  loopback unless set: elsewhere put TLS before it, people can't sign in without
    http_proxies  addresses of proxies whose word on scheme and client counts, with commas
    people_key  file with 64 hexadecimal digits: the key that secrets of authenticators are sealed with; none: one is made
                in data_dir
    require_totp  who may change anything has to have an authenticator or a passkey
    oidc_issuer        an OpenID Connect provider by which people may sign in, its address; and what we are there:
                       oidc_client_id, and oidc_client_secret best from its _file. oidc_name: what people call it
    mqtt_tls_ca        with it: TLS to the broker, and never plain text; _cert and _key: who we are there
    mqtt_password_file holds the password; so does every other ``X_file`` the secret ``X``
    database_url       postgres://user@host:port/name for registry, frame log and records; "": files in data_dir
    database_tls_ca    with it: TLS to PostgreSQL, and never plain text
    ingest             own: ``serve`` takes frames itself; workers: only ``cloud-api ingest`` processes do
    ingest_share       name of the group of ingests of which each frame reaches one; "": there is one ingest
    http_tls_cert      PEM, with its chain, and _key: https and nothing else; none: http, for loopback or behind a proxy
    mqtt_plain         a broker off this machine may be spoken to in plain text; else it is refused
    http_port          0: any free one; for ``cloud-api ingest``: none
    telemetry_url      "": DuckDB in data_dir; else InfluxDB, e.g. http://127.0.0.1:8086. _token for 2.x and 3.x,
                       _username and _password for 1.x, each secret best from its _file
    telemetry_keep_days  how long telemetry is kept; 0: for ever. The frame log keeps everything
    records_keep_days  how long invitations, tokens, claims, approvals and refused messages are kept after they have ended
    audit_keep_days    how long entries of the audit are kept, half a year at least
    charging_keep_days how long charging transactions are kept after they have ended; each 0: for ever
    authority_cert     PEM, with its chain, of the authority that signs for gateways, and _key; without them no claims
    certificate_valid_s  how long a gateway's certificate holds; it is renewed after two thirds of that
    gateway_mqtt_host  where a provisioned gateway finds the broker, its _port, and _ca, the authority to check it by
    broker_access      folder in which is kept what the broker reads: who may come in; none: not written
    telemetry_memory_mb_max  what DuckDB may take for a question; between questions it keeps little
    adopt      auto: what a profile recognises is part of its community at once; wait: a person adopts it
    signing_key  PEM file of the Ed25519 key that all is signed with which gateways and auditors check: profiles, commands,
                 desired states, checkpoints; none: one is made in data_dir
    console    folder of the console's build
    public_url where people and gateways reach this cloud, for links; "": as a request came in
    """

    model_config = SettingsConfigDict(
        env_prefix="LINLI_", env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=False
    )

    data_dir: Path = Path("var")
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    http_tls_cert: Path | None = None
    http_tls_key: Path | None = None
    http_proxies: str = "127.0.0.1"
    people_key: Path | None = None
    require_totp: bool = False
    oidc_issuer: Annotated[str, Field(pattern=r"^(https?://[^/?#@]+(/[^?#]*)?)?$")] = ""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_client_secret_file: Path | None = None
    oidc_name: Annotated[str, Field(max_length=64)] = "OpenID Connect"
    mqtt_host: str = "127.0.0.1"
    mqtt_port: Port = 18830
    mqtt_username: str = ""
    mqtt_password: SecretStr = SecretStr("")
    mqtt_password_file: Path | None = None
    mqtt_tls_ca: Path | None = None
    mqtt_tls_cert: Path | None = None
    mqtt_tls_key: Path | None = None
    mqtt_plain: bool = False
    authority_cert: Path | None = None
    authority_key: Path | None = None
    certificate_valid_s: Annotated[int, Field(ge=10, le=31_536_000)] = 7_776_000
    gateway_mqtt_host: str = "127.0.0.1"
    gateway_mqtt_port: Port = 8883
    gateway_mqtt_ca: Path | None = None
    broker_access: Path | None = None
    database_url: str = ""
    database_password: SecretStr = SecretStr("")
    database_password_file: Path | None = None
    database_tls_ca: Path | None = None
    ingest: Literal["own", "workers"] = "own"
    ingest_share: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""
    telemetry_url: Annotated[str, Field(pattern=r"^(https?://[^/?#@]+(/[^?#]*)?)?$")] = ""
    telemetry_database: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = "linli"
    telemetry_username: str = ""
    telemetry_password: SecretStr = SecretStr("")
    telemetry_password_file: Path | None = None
    telemetry_token: SecretStr = SecretStr("")
    telemetry_token_file: Path | None = None
    telemetry_keep_days: Days = 0
    records_keep_days: Days = 365
    audit_keep_days: Days = 1_095
    charging_keep_days: Days = 1_095
    telemetry_memory_mb_max: Annotated[int, Field(ge=32)] = 512
    adopt: Literal["auto", "wait"] = "wait"
    signing_key: Path | None = None
    console: Path = Path(__file__).parent.parent / "web" / "dist"
    public_url: Annotated[str, Field(pattern=r"^(https?://[^/?#@]+)?$")] = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    crash_at: str = ""  # a named crash point, for tests: see contracts/crash_points.py

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @model_validator(mode="before")
    @classmethod
    def secrets_from_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        """``X_file`` names the file that holds the secret ``X``. Raises SettingsError."""
        read: dict[str, str] = {}
        for name in (each.removesuffix("_file") for each in values if each.endswith("_file") and values[each]):
            if values.get(name):
                raise SettingsError(f"LINLI_{name.upper()} and LINLI_{name.upper()}_FILE are both set; one is enough")
            try:
                read[name] = Path(values[f"{name}_file"]).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, ValueError, TypeError) as error:
                raise SettingsError(f"LINLI_{name.upper()}_FILE = {values[f'{name}_file']!r}: {error}") from error
        return {**values, **read}

    @model_validator(mode="after")
    def certificate_is_whole(self) -> Self:
        """A certificate is of use with its key and an authority to check the broker by. Raises SettingsError."""
        if (self.mqtt_tls_cert or self.mqtt_tls_key) and not (
            self.mqtt_tls_ca and self.mqtt_tls_cert and self.mqtt_tls_key
        ):
            raise SettingsError("LINLI_MQTT_TLS_CERT and LINLI_MQTT_TLS_KEY go together, and need LINLI_MQTT_TLS_CA")
        return self

    @model_validator(mode="after")
    def provider_is_whole(self) -> Self:
        """A provider is of use to a client of its. Raises SettingsError."""
        if bool(self.oidc_issuer) is not bool(self.oidc_client_id):
            raise SettingsError("LINLI_OIDC_ISSUER and LINLI_OIDC_CLIENT_ID go together")
        return self

    @model_validator(mode="after")
    def https_is_whole(self) -> Self:
        """A certificate is of use with its key. Raises SettingsError."""
        if bool(self.http_tls_cert) is not bool(self.http_tls_key):
            raise SettingsError("LINLI_HTTP_TLS_CERT and LINLI_HTTP_TLS_KEY go together")
        return self

    @model_validator(mode="after")
    def authority_is_whole(self) -> Self:
        """An authority is of use with its key, and with what gateways check the broker by. Raises SettingsError."""
        parts = (self.authority_cert, self.authority_key, self.gateway_mqtt_ca)
        if any(parts) and not all(parts):
            raise SettingsError("LINLI_AUTHORITY_CERT, LINLI_AUTHORITY_KEY and LINLI_GATEWAY_MQTT_CA go together")
        return self

    @field_validator("audit_keep_days")
    @classmethod
    def audit_is_kept_long_enough(cls, days: int) -> int:
        """Raises ValueError."""
        if 0 < days < AUDIT_DAYS_MIN:
            raise ValueError(f"{AUDIT_DAYS_MIN} days at least, or 0 for ever")
        return days

    @field_validator("telemetry_url")
    @classmethod
    def telemetry_url_has_a_port(cls, url: str) -> str:
        """A port that is none is refused here, by name. Raises ValueError."""
        if url and urlsplit(url).port == 0:
            raise ValueError("port 0 is none")
        return url

    @field_validator("database_url")
    @classmethod
    def database_url_is_whole(cls, url: str) -> str:
        """User, host and name must be there, a password must not: it would be shown. Raises ValueError."""
        if not url:
            return url
        parts = urlsplit(url)
        if parts.password is not None:
            raise ValueError(
                "a password does not belong here; LINLI_DATABASE_PASSWORD_FILE names the file that holds it"
            )
        port = parts.port or 1  # raises ValueError when it is none
        whole = parts.scheme in ("postgres", "postgresql") and parts.username and parts.hostname and port
        if not whole or not re.fullmatch(r"/[^/]+", parts.path) or parts.query or parts.fragment:
            raise ValueError("allowed is postgres://user@host:port/name")
        return url

    def masked(self) -> dict[str, Any]:
        """What --print-config shows."""
        return self.model_dump(mode="json")


def load_settings(config: Path | None) -> Settings:
    """Defaults, then the file, then the environment. Raises SettingsError."""
    for former, name in FORMER_NAMES.items():
        if os.environ.get(former):
            raise SettingsError(f"{former} is called {name} now")
    if config is not None and not config.is_file():
        raise SettingsError(f"{config}: there is no such file")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    try:
        return FromFile()
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{config}: {error}") from error
    except SourceError as error:
        raise SettingsError(str(error)) from error
    except ValidationError as error:
        raise SettingsError("; ".join(_fault(dict(fault)) for fault in error.errors())) from error


def _fault(fault: dict[str, Any]) -> str:
    name = ".".join(map(str, fault["loc"])).removeprefix("LINLI_").lower()
    if fault["type"] == "extra_forbidden":
        return f"{name}: there is no such setting; there are {', '.join(Settings.model_fields)}"
    secret = Settings.model_fields[name].annotation is SecretStr or name == "database_url"
    shown = "***" if secret else repr(fault["input"])
    return f"LINLI_{name.upper()} = {shown}: {fault['msg']}"
