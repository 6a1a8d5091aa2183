"""What the routes need from the rest of the program. ``program.py`` builds it; tests build their own."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from cloud_api.audit import AuditLog
from cloud_api.commands.service import Commands
from cloud_api.framelog import FrameLog
from cloud_api.identity.gateways import GatewayIdentity
from cloud_api.ingest import GatewayPresence
from cloud_api.ledger import LedgerBook
from cloud_api.live import LiveState
from cloud_api.people.sign_in import Door
from cloud_api.quality import QualityTracks
from cloud_api.quarantine import Quarantine
from cloud_api.telemetry import TelemetryStore

Clock = Callable[[], int]
"""Now, ms UTC."""

Check = Callable[[], Awaitable[str]]
"""Whether a part is ready: "" when it is, else why not."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts behind the routes.

    adopt_at_once  what a profile recognises is adopted by itself; else it waits for a person
    cloud_key      public key by which gateways know what we have signed, PEM
    console        folder of the console's build; it may be missing
    checks         part -> is it ready?
    metrics        what is exported; before_metrics is awaited first
    public_url     where people and gateways reach this cloud, for links; "": as a request came in
    door           how people and machines come in
    identity       how gateways get their certificates; None without an authority
    """

    clock: Clock
    framelog: FrameLog
    telemetry: TelemetryStore
    live: LiveState
    quality: QualityTracks
    ledger: LedgerBook
    quarantine: Quarantine
    presence: GatewayPresence
    commands: Commands
    audit: AuditLog
    adopt_at_once: bool
    cloud_key: bytes
    console: Path
    new_request_id: Callable[[], str]
    door: Door
    checks: Mapping[str, Check] = field(default_factory=dict)
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    before_metrics: Callable[[], Awaitable[None]] | None = None
    public_url: str = ""
    identity: GatewayIdentity | None = None


def _parts(request: Request) -> Parts:
    parts = request.app.state.parts
    assert isinstance(parts, Parts)
    return parts


PartsDep = Annotated[Parts, Depends(_parts)]
