"""`cloud-api`: serve, ingest, migrate, rebuild."""

import argparse
import asyncio
import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from cloud_api.request_ids import log_context
from cloud_api.settings import Settings, SettingsError, load_settings
from contracts.log_format import log_as_json


def main(arguments: list[str] | None = None) -> None:
    """The command line. Exits non-zero with one clear line on error."""
    options = _parser().parse_args(arguments)
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
    ingest = verbs.add_parser("ingest", parents=[common], help="ingest alone, without HTTP")
    ingest.set_defaults(handler=_ingest)
    migrate = verbs.add_parser("migrate", parents=[common], help="bring the database's schema up to date")
    migrate.add_argument("--json", action="store_true", help="as one JSON object")
    migrate.set_defaults(handler=_migrate)
    rebuild = verbs.add_parser("rebuild", parents=[common], help="make a projection again from the frame log")
    rebuild.add_argument("projection", choices=("telemetry", "live", "book"))
    rebuild.add_argument("--json", action="store_true", help="as one JSON object")
    rebuild.set_defaults(handler=_rebuild)
    return parser


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    import uvloop

    from cloud_api.program import ProgramError

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
    import device_registry as registry
    from cloud_api.records import APPS

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    applied = asyncio.run(registry.migrate(settings.registry_url, APPS))
    print(json.dumps({"applied": applied}) if options.json else "\n".join(applied) or "nothing to do")
    return 0


def _rebuild(options: argparse.Namespace, settings: Settings) -> int:
    from cloud_api.program import rebuild_projection

    def progress(position: int, end: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{position}/{end}", end="", file=sys.stderr)

    position = _run(rebuild_projection(settings, options.projection, progress))
    result = {"projection": options.projection, "position": position}
    print(json.dumps(result) if options.json else f"{options.projection} is made again up to position {position}")
    return 0


if __name__ == "__main__":
    main()
