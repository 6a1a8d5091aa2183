"""``simulate``: demo, community, replay, world. Errors are one clear line and a non-zero exit."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from simulators import communities, program
from simulators.driver import Address
from simulators.ocpp.troubles import KINDS, Troubles
from simulators.replay import player
from simulators.replay.datasets import DATASETS
from simulators.replay.readings import DatasetError


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return Address(host, int(port))


def _gateway(text: str) -> tuple[str, Address]:
    gateway, equals, address = text.partition("=")
    if not gateway or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not ID=HOST:PORT")
    return gateway, _address(address)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _count(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count between 1 and 1000000")
    return int(text)


def _speed(text: str) -> float | None:
    return None if text == "max" else _positive(text)


def _environment_seed(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"LINLI_SEED={text!r} is not a whole number") from None


def _world(args: argparse.Namespace) -> int:
    report = program.write_world(args.seed, args.devices, args.hours, args.out, sys.stderr)
    where = sys.stderr if str(args.out) == "-" else sys.stdout
    if args.json:
        print(json.dumps(report), file=where)
    else:
        print(f"{report['events']:g} events in {report['seconds']} s, written to {args.out}", file=where)
    return 0


def _community(args: argparse.Namespace) -> int:
    known = {gateway.id for gateway in communities.GATEWAYS}
    brokers = dict(args.gateway)
    if unknown := brokers.keys() - known:
        print(f"simulate: no gateway {min(unknown)!r}; there are {', '.join(sorted(known))}", file=sys.stderr)
        return 2
    plan = communities.demo_devices()
    program.until_stopped(program.play_community(plan, brokers, args.seed, args.speed, args.ready_file))
    return 0


def _replay(args: argparse.Namespace) -> int:
    if args.totals:
        print(json.dumps(player.totals(args.dataset, args.data_dir, args.day)._asdict()))
        return 0
    report: dict[str, float] = {}
    program.until_stopped(player.replay(args.dataset, args.data_dir, args.day, args.address, args.speed, report))
    if args.json:
        print(json.dumps(report))
    elif report:
        print(f"{report['messages']:g} messages in {report['seconds']} s")
    return 0 if report else 1


def _versions(text: str) -> list[str]:
    versions = text.split(",")
    if unknown := set(versions) - {"1.6", "2.0.1"}:
        raise argparse.ArgumentTypeError(f"{min(unknown)!r} is none of 1.6, 2.0.1")
    return versions


def _troubles(text: str) -> Troubles:
    try:
        pairs = [part.split("=") for part in text.split(",") if part]
        return Troubles(**{name: float(value) for name, value in pairs})
    except (TypeError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r}: NAME=TIMES,... of {', '.join(Troubles._fields)}") from None


def _passwords(path: Path | None) -> dict[str, str]:
    """Lines of ``CHARGE_POINT PASSWORD``; a line with a password alone is for all others."""
    passwords = {}
    for line in path.read_text().splitlines() if path is not None else ():
        *name, password = line.split()
        passwords[name[0] if name else ""] = password
    return passwords


def _ocpp(args: argparse.Namespace) -> int:
    from simulators.ocpp.program import ChargePoints, play_charge_points  # 20 MB that no other verb pays

    if not args.url.startswith(("ws://", "wss://")):
        raise ValueError(f"--url {args.url!r} is not ws:// or wss://")
    plan = ChargePoints(
        args.url, args.charge_points, args.versions, args.connectors, args.prefix, args.seed, args.speed, args.hours,
        args.meter_s, args.amps_max, args.await_limits, args.troubles,
    )  # fmt: skip
    report: dict[str, object] = {}
    work = play_charge_points(plan, _passwords(args.password_file), args.out, args.ready_file, report)
    program.until_stopped(work)
    where = sys.stderr if str(args.out) == "-" else sys.stdout
    if args.json:
        print(json.dumps(report), file=where)
    else:
        print(f"{report['sessions']} sessions, {report['energy_wh']} Wh, at most {report['peak_a']} A", file=where)
    if report["refused"] or (report["untold"] and args.hours):
        raise ValueError(f"{report['refused']} messages of transactions were refused, {report['untold']} not answered")
    return 0


def _demo(args: argparse.Namespace) -> int:
    from simulators.demo.program import run_demo  # only this verb starts programs of the other packages

    return run_demo()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulate", description="Models of communities, and real data played again.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    seed = _environment_seed(os.environ.get("LINLI_SEED", "1"))

    verb = verbs.add_parser("world", help="run a world in virtual time and write its event log (JSON lines)")
    verb.add_argument("--seed", type=int, default=seed, help="same seed, same log (default %(default)s)")
    verb.add_argument("--devices", type=_count, default=2000, help="how many (default %(default)s)")
    verb.add_argument("--hours", type=_positive, default=24.0, help="of virtual time (default %(default)g)")
    verb.add_argument("--out", type=Path, default=Path("world.jsonl"), help="file, or - (default %(default)s)")
    verb.add_argument("--json", action="store_true", help="report as JSON")
    verb.set_defaults(run=_world)

    verb = verbs.add_parser("community", help="the demo's devices against brokers that are there already")
    verb.add_argument("--gateway", type=_gateway, action="append", required=True, metavar="ID=HOST:PORT")
    verb.add_argument("--seed", type=int, default=seed, help="default LINLI_SEED or 1")
    speed = os.environ.get("LINLI_SPEED", "1")
    verb.add_argument("--speed", type=_positive, default=speed, help="simulated seconds a second (LINLI_SPEED or 1)")
    verb.add_argument("--ready-file", type=Path, help="written when all brokers are connected")
    verb.set_defaults(run=_community)

    verb = verbs.add_parser("replay", help="play real data, or the vendors' fixtures, at a gateway's broker")
    verb.add_argument("dataset", choices=sorted(DATASETS), metavar="DATASET", help=", ".join(sorted(DATASETS)))
    verb.add_argument("--data-dir", type=Path, default=Path("../shared/data"), help="default %(default)s")
    verb.add_argument("--host", default="127.0.0.1")
    verb.add_argument("--port", type=int, default=1883)
    verb.add_argument("--day", help="YYYY-MM-DD of the source's calendar; all days without it")
    verb.add_argument("--speed", type=_speed, default=None, help="N times real time, or max (the default)")
    verb.add_argument("--totals", action="store_true", help="publish nothing: print the file's own counts and sums")
    verb.add_argument("--json", action="store_true", help="report as JSON")
    verb.set_defaults(run=_replay)

    verb = verbs.add_parser("ocpp", help="charge points (OCPP 1.6J and 2.0.1) against a central system")
    verb.add_argument("--url", required=True, help="ws://HOST:PORT; each charge point's name is put behind it")
    verb.add_argument("--charge-points", type=_count, default=4, help="how many (default %(default)s)")
    verb.add_argument("--versions", type=_versions, default="1.6,2.0.1", help="in turn (default %(default)s)")
    verb.add_argument("--connectors", type=_count, default=1, help="of each (default %(default)s)")
    verb.add_argument("--prefix", default="SIM-", help="of their names (default %(default)s)")
    verb.add_argument("--seed", type=int, default=seed, help="same seed, same cars (default LINLI_SEED or 1)")
    verb.add_argument("--speed", type=_positive, default=1.0, help="simulated seconds a second (default 1)")
    verb.add_argument("--hours", type=_positive, help="simulated; then all cars go and it ends when all is told")
    verb.add_argument("--meter-s", type=_positive, default=900.0, help="between meter values (default %(default)g)")
    verb.add_argument(
        "--amps-max", type=_positive, default=16.0, help="of a connector, A a phase (default %(default)g)"
    )
    kinds = f"times a day for each: {', '.join(KINDS)}; away_s: longest cut in real seconds"
    verb.add_argument("--troubles", type=_troubles, default="", metavar="NAME=TIMES,...", help=kinds)
    verb.add_argument("--await-limits", action="store_true", help="begin when all were given a limit")
    verb.add_argument("--password-file", type=Path, help="lines of CHARGE_POINT PASSWORD, or PASSWORD for all others")
    verb.add_argument("--out", type=Path, default=Path("charging.jsonl"), help="the truth, or - (default %(default)s)")
    verb.add_argument("--ready-file", type=Path, help="written when it begins")
    verb.add_argument("--json", action="store_true", help="report as JSON")
    verb.set_defaults(run=_ocpp)

    verb = verbs.add_parser("demo", help="the whole system with two simulated communities")
    verb.set_defaults(run=_demo)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """The program. Returns its exit code."""
    try:
        args = _parser().parse_args(argv)
        if args.verb == "replay":
            args.address = Address(args.host, args.port)
        code: int = args.run(args)
    except (DatasetError, OSError, ValueError) as error:
        print(f"simulate: {error}", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
