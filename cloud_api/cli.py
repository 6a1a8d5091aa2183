"""`cloud-api`: serve, ingest, migrate, rebuild, backup, restore, authority, claim, administrator, access, audit verify."""

import argparse
import json
import os
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from cloud_api.request_ids import log_context
from cloud_api.settings import Settings, SettingsError, load_settings
from contracts.log_format import log_as_json


def main(arguments: list[str] | None = None) -> None:
    """The command line. Exits non-zero with one clear line on error."""
    options = _parser().parse_args(arguments)
    os.umask(0o077)  # what is kept is of nobody else's business on this machine
    try:
        settings = load_settings(options.config)
        if options.print_config:
            print(json.dumps(settings.masked(), indent=2))
            sys.exit(0)
        log_as_json(settings.log_level, log_context)
        sys.exit(options.handler(options, settings))
    except (SettingsError, OSError) as error:
        sys.exit(f"cloud-api: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cloud-api", description="Linli's cloud.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, help="TOML file; LINLI_* environment variables go over it")
    common.add_argument("--print-config", action="store_true", help="show every setting, secrets masked, and leave")
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    serve = verbs.add_parser(
        "serve", parents=[common], help="HTTP, ingest and projections in one process (loopback unless set otherwise)"
    )
    serve.set_defaults(handler=_serve)
    ingest = verbs.add_parser(
        "ingest",
        parents=[common],
        help="a further worker that takes frames (PostgreSQL, one LINLI_INGEST_SHARE for all)",
    )
    ingest.set_defaults(handler=_ingest)
    migrate = verbs.add_parser("migrate", parents=[common], help="bring the database's schema up to date")
    migrate.add_argument("--json", action="store_true", help="as one JSON object")
    migrate.set_defaults(handler=_migrate)
    rebuild = verbs.add_parser("rebuild", parents=[common], help="make a projection again from the frame log")
    rebuild.add_argument("projection", choices=("telemetry", "live", "book"))
    rebuild.add_argument("--json", action="store_true", help="as one JSON object")
    rebuild.set_defaults(handler=_rebuild)
    backup = verbs.add_parser("backup", parents=[common], help="copy everything durable, also of a running cloud")
    backup.add_argument("folder", type=Path, metavar="DIR", help="a folder that is not there yet, or empty")
    backup.add_argument("--json", action="store_true", help="the manifest as one JSON object")
    backup.set_defaults(handler=_backup)
    restore = verbs.add_parser("restore", parents=[common], help="begin again from a backup; the cloud must not run")
    restore.add_argument("folder", type=Path, metavar="DIR", help="a backup")
    restore.add_argument("--replace", action="store_true", help="move aside what is there")
    restore.add_argument("--json", action="store_true", help="as one JSON object")
    restore.set_defaults(handler=_restore)
    access = verbs.add_parser("access", parents=[common], help="write who may come in at the broker, before it starts")
    access.set_defaults(handler=_access)
    authority = verbs.add_parser("authority", help="certificates of an installation").add_subparsers(
        metavar="VERB", required=True
    )
    create = authority.add_parser(
        "create",
        parents=[common],
        help="make the authorities, and certificates of broker and programs; renew what ends",
    )
    create.add_argument("folder", type=Path, metavar="DIR", help="where they are, or are to be")
    create.add_argument("hosts", nargs="+", metavar="HOST", help="name or address at which gateways reach the broker")
    create.add_argument("--json", action="store_true", help="as one JSON object")
    create.set_defaults(handler=_authority)
    claim = verbs.add_parser("claim", help="let gateways in").add_subparsers(metavar="VERB", required=True)
    new = claim.add_parser("create", parents=[common], help="a code by which one gateway gets its certificate")
    new.add_argument("gateway", help="its id in the registry")
    new.add_argument("--hours", type=float, default=24, help="for how long it holds; 24, a week at most")
    new.add_argument("--json", action="store_true", help="as one JSON object")
    new.set_defaults(handler=_claim)
    administrator = verbs.add_parser("administrator", help="people, when nobody can sign in").add_subparsers(
        metavar="VERB", required=True
    )
    recover = administrator.add_parser(
        "recover", parents=[common], help="a code in the data folder by which a new administrator comes in; for an hour"
    )
    recover.add_argument("--json", action="store_true", help="as one JSON object")
    recover.set_defaults(handler=_recover)
    audit = verbs.add_parser("audit", help="what was asked, by whom").add_subparsers(metavar="VERB", required=True)
    verify = audit.add_parser(
        "verify", parents=[common], help="check an export offline: nothing changed, taken out, moved or cut off"
    )
    verify.add_argument("file", type=Path, metavar="FILE", help="what GET /api/v1/audit/export gave")
    verify.add_argument(
        "--checkpoint", type=Path, action="append", default=[], metavar="FILE", help="checkpoints taken away earlier"
    )
    verify.add_argument("--key", type=Path, metavar="FILE", help="the cloud's public key, profile_key.pem")
    verify.add_argument("--json", action="store_true", help="as one JSON object")
    verify.set_defaults(handler=_audit_verify)
    return parser


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _show(work: str, done: int, total: int) -> None:
    """Progress for people: a line that is written over on a terminal, else a line when something is done."""
    if sys.stderr.isatty():
        print(f"\r{work}: {done * 100 // max(total, 1)} %\033[K", end="\n" if done >= total else "", file=sys.stderr)
    elif done >= total:
        print(f"{work}: done", file=sys.stderr)


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    import uvloop

    from cloud_api.process import ProgramError

    try:
        return uvloop.run(work)
    except ProgramError as error:
        sys.exit(f"cloud-api: {error}")


def _serve(options: argparse.Namespace, settings: Settings) -> int:
    from cloud_api.program import serve

    _run(serve(settings))
    return 0


def _ingest(options: argparse.Namespace, settings: Settings) -> int:
    from cloud_api.program import ingest_only

    _run(ingest_only(settings))
    return 0


def _migrate(options: argparse.Namespace, settings: Settings) -> int:
    from cloud_api.upkeep import migrate

    applied = _run(migrate(settings))
    print(json.dumps({"applied": applied}) if options.json else "\n".join(applied) or "nothing to do")
    return 0


def _rebuild(options: argparse.Namespace, settings: Settings) -> int:
    from cloud_api.upkeep import rebuild_projection

    def progress(position: int, end: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{position}/{end}", end="", file=sys.stderr)

    position = _run(rebuild_projection(settings, options.projection, _now_ms, progress))
    result = {"projection": options.projection, "position": position}
    print(json.dumps(result) if options.json else f"{options.projection} is made again up to position {position}")
    return 0


def _backup(options: argparse.Namespace, settings: Settings) -> int:
    from cloud_api.backup import BackupError
    from cloud_api.upkeep import backup

    try:
        manifest = _run(backup(settings, options.folder, _now_ms, _show))
    except BackupError as error:
        sys.exit(f"cloud-api: {error}")
    if options.json:
        print(msgspec.json.encode(manifest).decode())
    else:
        size_mb = sum(entry.size_bytes for entry in manifest.files) / 1e6
        print(f"{options.folder}: {size_mb:.1f} MB, frames up to position {manifest.positions['framelog']}")
    return 0


def _restore(options: argparse.Namespace, settings: Settings) -> int:
    from cloud_api.backup import BackupError
    from cloud_api.upkeep import restore

    try:
        manifest, aside = _run(restore(settings, options.folder, options.replace, _now_ms, _show))
    except BackupError as error:
        sys.exit(f"cloud-api: {error}")
    position = manifest.positions["framelog"]
    if options.json:
        print(json.dumps({"position": position, "made_ms": manifest.ended_ms, "aside": aside}))
    else:
        print(f"restored up to position {position}; telemetry and live state are made anew when the cloud starts")
        if aside:
            print(f"what was there is in {aside}")
    return 0


def _access(options: argparse.Namespace, settings: Settings) -> int:
    from cloud_api.gateways import write_broker_access

    written = _run(write_broker_access(settings, _now_ms()))
    print(f"{settings.broker_access}: {len(written.gateways)} gateways, {len(written.revoked)} revoked certificates")
    return 0


def _authority(options: argparse.Namespace, settings: Settings) -> int:
    from datetime import UTC, datetime

    from cloud_api.identity.making import AuthorityError, make_installation
    from cloud_api.on_machine import write_down_authority

    try:
        made = make_installation(options.folder, options.hosts, datetime.now(UTC))
    except (AuthorityError, ValueError) as error:
        sys.exit(f"cloud-api: {error}")
    if made and not _run(write_down_authority(settings, options.folder, made, _now_ms())):
        print("not in the audit: these settings are of no cloud that has run", file=sys.stderr)
    if options.json:
        print(json.dumps({"made": made}))
    else:
        print("\n".join(made) or "everything is there and holds")
        print(
            f"keep {options.folder / 'authorities'} off this machine: it is needed to make certificates, not to serve"
        )
    return 0


def _claim(options: argparse.Namespace, settings: Settings) -> int:
    import segno

    from cloud_api.on_machine import claim

    if not 1 / 60 <= options.hours <= 7 * 24:
        sys.exit(f"cloud-api: --hours {options.hours:g}: from a minute to a week, 168")
    made = _run(claim(settings, options.gateway, int(options.hours * 3600), _now_ms()))
    if options.json:
        print(json.dumps(made._asdict()))
        return 0
    segno.make(made.link or made.code, error="m").terminal(compact=True)
    ends = time.strftime("%Y-%m-%d %H:%M", time.gmtime(made.expires_ms / 1000))
    print(f"{made.code}\nfor {made.gateway_id}, until {ends} UTC, once; it is shown now and never again")
    if made.link:
        print(f"on the gateway: sudo edge-agent provision '{made.link}'")
    else:
        print(
            f"on the gateway: sudo edge-agent provision https://THIS.CLOUD {made.code}   (LINLI_PUBLIC_URL is not set)"
        )
    return 0


def _recover(options: argparse.Namespace, settings: Settings) -> int:
    from cloud_api.on_machine import recover

    file, expires_ms = _run(recover(settings, _now_ms()))
    if options.json:
        print(json.dumps({"file": str(file), "expires_ms": expires_ms}))
    else:
        ends = time.strftime("%H:%M", time.gmtime(expires_ms / 1000))
        print(f"{file}: a code that makes one administrator, until {ends} UTC, once: choose a new name with it")
    return 0


def _audit_verify(options: argparse.Namespace, settings: Settings) -> int:
    from cloud_api.audit.verification import checkpoints_in, verify
    from contracts.signature import public_keys

    try:
        keys = public_keys(options.key.read_bytes()) if options.key else []
        checkpoints = [
            checkpoint
            for path in (options.file, *options.checkpoint)
            for checkpoint in checkpoints_in(path.read_bytes())
        ]
    except ValueError as error:
        sys.exit(f"cloud-api: {error}")
    with options.file.open("rb") as export:
        verdict = verify(export, checkpoints, keys)
    fault, last = verdict.fault, max((each.checkpoint for each in verdict.checkpoints), default=0)
    if options.json:
        said = {
            "ok": fault is None, "entries": verdict.entries, "removed": verdict.removed, "checkpoint": last,
            "signatures_checked": bool(keys),
        }  # fmt: skip
        print(json.dumps(said | ({"fault": fault._asdict() | {"message": str(fault)}} if fault else {})))
    elif fault:
        print(f"{options.file}: {fault}")
    else:
        signed = "signed by the given key" if keys else "whose signature was not looked at: give --key"
        word = f"the last checkpoint is over entry {last}, {signed}" if last else "there is no checkpoint"
        gone = f", the first {verdict.removed} were removed as they were old" if verdict.removed else ""
        print(f"{options.file}: {verdict.entries} entries hang together{gone}; {word}")
    return 0 if fault is None else 1


if __name__ == "__main__":
    main()
