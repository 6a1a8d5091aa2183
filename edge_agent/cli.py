"""`edge-agent`: run, provision, doctor, status, ledger, discover, quarantine, site-access, site-password, decode,
profile check."""

import argparse
import asyncio
import ctypes
import json
import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from contracts.log_format import log_as_json
from edge_agent.discovery.lines import discovery_lines, read_discoveries
from edge_agent.outbox.file import OutboxNewer
from edge_agent.profiles import SHIPPED, ProfileError, ProfileSet, Undecodable
from edge_agent.profiles.faults import check_files
from edge_agent.profiles.lines import sample_lines
from edge_agent.quarantine import in_json, quarantine_lines, read_quarantine
from edge_agent.settings import Settings, SettingsError, load_settings
from edge_agent.status import NoAgent, ledger_of, read_status, status_lines

_M_TRIM_THRESHOLD, _M_ARENA_MAX = -1, -8  # malloc.h


def main(arguments: list[str] | None = None) -> None:
    """The command line. Exits non-zero with one clear line on error."""
    parser = _parser()
    options = parser.parse_args(arguments)
    os.umask(0o077)  # what is kept is of nobody else's business on this machine
    try:
        sys.exit(options.handler(options))
    except (SettingsError, ProfileError, NoAgent, OutboxNewer, OSError, sqlite3.Error) as error:
        sys.exit(f"edge-agent: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edge-agent", description="Linli's agent on a community's gateway.")
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    run = verbs.add_parser("run", help="read devices, keep readings, forward them to the cloud")
    run.add_argument("--print-config", action="store_true", help="show every setting, secrets masked, and leave")
    run.set_defaults(handler=_run)

    for name, text in (("status", "how the agent is doing"), ("ledger", "produced, acked, dropped, still buffered")):
        verb = verbs.add_parser(name, help=text)
        verb.add_argument("--json", action="store_true", help="as one JSON object")
        verb.set_defaults(handler=_status if name == "status" else _ledger)
        _config(verb)
    _config(run)

    discover = verbs.add_parser("discover", help="topics that no profile reads, and which profile could")
    discover.add_argument("--json", action="store_true", help="as one JSON array")
    discover.add_argument("--watch", type=float, metavar="SECONDS", help="again and again, so often")
    discover.set_defaults(handler=_discover)
    _config(discover)

    quarantine = verbs.add_parser("quarantine", help="refused messages that are kept for another try, and why")
    quarantine.add_argument("--json", action="store_true", help="as one JSON array, with the whole payloads")
    quarantine.set_defaults(handler=_quarantine)
    _config(quarantine)

    doctor = verbs.add_parser("doctor", help="check the site: a line a check, and what to do next")
    doctor.add_argument("--json", action="store_true", help="as one JSON array")
    doctor.set_defaults(handler=_doctor)
    _config(doctor)

    provision = verbs.add_parser("provision", help="get this gateway its certificate for a claim")
    provision.add_argument(
        "address", metavar="ADDRESS", help="the cloud, https://cloud.example, or the link of the claim's QR code"
    )
    provision.add_argument("code", nargs="?", default="", help="the claim's code, unless the link has it")
    provision.add_argument("--community", default="", help="where you are: a claim for another community is refused")
    provision.add_argument("--ca", type=Path, help="authority by which the cloud's web server is checked")
    provision.add_argument("--out", type=Path, default=Path("/etc/linli"), help="folder of the files; /etc/linli")
    provision.add_argument("--json", action="store_true", help="as one JSON object")
    provision.set_defaults(handler=_provision)

    access = verbs.add_parser(
        "site-access", help="write who may say what at the local broker, from the adopted devices"
    )
    access.add_argument("folder", type=Path, metavar="FOLDER", help="where passwords, site.acl and devices.acl are")
    access.add_argument(
        "--open", action="store_true", help="let in also who can't sign in, for devices without a password"
    )
    access.set_defaults(handler=_site_access)
    _config(access)

    password = verbs.add_parser("site-password", help="give a device or bridge a new password at the local broker")
    password.add_argument("folder", type=Path, metavar="FOLDER", help="as of site-access")
    password.add_argument("user", metavar="NAME", help="the device's id, or the name of a bridge in site.acl")
    password.set_defaults(handler=_site_password)

    decode = verbs.add_parser("decode", help="read one message as the agent would, a JSON object a sample")
    decode.add_argument(
        "--profile", type=Path, action="append", default=[], help="profile file (default: shipped ones)"
    )
    decode.add_argument("--topic", required=True)
    decode.add_argument("--hex", action="store_true", help="the payload file holds hexadecimal text")
    decode.add_argument("--all", action="store_true", help="also samples without a value, with their reason")
    decode.add_argument("payload", help="payload file, or - for standard input")
    decode.set_defaults(handler=_decode)

    profile = verbs.add_parser("profile", help="work on profiles").add_subparsers(metavar="VERB", required=True)
    check = profile.add_parser("check", help="schema, units and examples of profile files")
    check.add_argument("files", type=Path, nargs="+", metavar="FILE")
    check.set_defaults(handler=_profile_check)
    return parser


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, help="TOML file; LINLI_* environment variables go over it")


def _settings(options: argparse.Namespace) -> Settings:
    settings = load_settings(options.config, os.environ)
    if not settings.gateway_id:
        raise SettingsError("LINLI_GATEWAY_ID is not set: the gateway's id, such as gw-estate-1")
    return settings


def _run(options: argparse.Namespace) -> int:
    settings = load_settings(options.config, os.environ)
    if options.print_config:
        print(json.dumps(settings.masked(), indent=2))
        return 0
    settings = _settings(options)
    if settings.plain_text_fault:
        raise SettingsError(settings.plain_text_fault)
    log_as_json(settings.log_level)
    _keep_memory_small()
    import uvloop  # only the running agent pays for it

    from edge_agent import program

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(program.run(settings))
    return 0


def _keep_memory_small() -> None:
    """One malloc arena for all threads, and free memory given back early: 2 MB of the agent's 45."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):  # glibc; others do not need it
            libc.mallopt(_M_ARENA_MAX, 1)
            libc.mallopt(_M_TRIM_THRESHOLD, 65_536)


def _status(options: argparse.Namespace) -> int:
    settings = _settings(options)
    status = read_status(Path(settings.data_dir), settings.gateway_id, settings.outbox_bytes_max)
    if options.json:
        print(json.dumps(status))
        return 0 if status["running"] else 1
    for line in status_lines(status):
        print(line)
    return 0 if status["running"] else 1


def _discover(options: argparse.Namespace) -> int:
    data_dir = Path(_settings(options).data_dir)
    while True:
        found = read_discoveries(data_dir)
        print(json.dumps(found) if options.json else "\n".join(discovery_lines(found)), flush=True)
        if not options.watch:
            return 0
        time.sleep(max(0.1, options.watch))


def _quarantine(options: argparse.Namespace) -> int:
    kept = read_quarantine(Path(_settings(options).data_dir))
    print(json.dumps([in_json(each) for each in kept]) if options.json else "\n".join(quarantine_lines(kept)))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    """0: all is well or nearly so; else by the first that fails, see ``doctor.finding.EXIT_CODES``."""
    from edge_agent.doctor import Finding, examine, exit_code

    try:
        findings = examine(_settings(options))
    except SettingsError as error:
        findings = [Finding("settings", "fail", str(error), "correct it in the environment or the file of --config")]
    if options.json:
        print(json.dumps([finding._asdict() for finding in findings]))
    else:
        for finding in findings:
            print(f"{finding.verdict:4}  {finding.check}: {finding.text}")
            if finding.then:
                print(f"      -> {finding.then}")
    return exit_code(findings)


def _provision(options: argparse.Namespace) -> int:
    """0: the files are there; else one line says what is wrong, the next what to do: see ``provisioning.failures``."""
    from edge_agent.provisioning import IdentityFiles
    from edge_agent.provisioning.ceremony import CLOCK_OFF_MS, provision
    from edge_agent.provisioning.failures import ProvisionFailed

    files = IdentityFiles(options.out)
    now_ms = time.time_ns() // 1_000_000
    try:
        done = provision(files, options.address, options.code, options.community, options.ca, now_ms)
    except ProvisionFailed as error:
        if options.json:
            print(json.dumps({"failed": error.word, "text": str(error), "then": error.failure.then}))
        print(f"edge-agent: {error.word}: {error}\n      -> {error.failure.then}", file=sys.stderr)
        return error.failure.exit_code
    if options.json:
        print(json.dumps({**done._asdict(), "settings": str(files.settings)}))
        return 0
    day = time.strftime("%Y-%m-%d", time.gmtime(done.ends_ms / 1000))
    print(f"this is {done.gateway_id}; its certificate holds until {day}, and is renewed by itself before that")
    if done.again:
        print("this claim was used here before: nothing was changed")
    if abs(done.clock_off_ms) > CLOCK_OFF_MS:
        print(
            f"this machine's clock is {done.clock_off_ms / 1000:+,.0f} s off the cloud's: set up time synchronisation"
        )
    print(f"next: edge-agent doctor --config {files.settings}, then edge-agent run --config {files.settings}")
    return 0


def _site_access(options: argparse.Namespace) -> int:
    """The broker reads its file again at a SIGHUP, which its start script sends it when the file changes."""
    from edge_agent.site_access import write_site_access

    settings = _settings(options)
    try:
        names = write_site_access(options.folder, Path(settings.data_dir), settings.profiles, options.open)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    is_open = ", open for all others" if options.open else ""
    print(f"{options.folder}: {len(names)} devices of their own{is_open}")
    return 0


def _site_password(options: argparse.Namespace) -> int:
    """Shown once. It counts when `site-access` has written the broker's files anew."""
    from edge_agent.site_access import new_password

    try:
        print(new_password(options.folder, options.user))
    except ValueError as error:
        raise SettingsError(str(error)) from error
    return 0


def _ledger(options: argparse.Namespace) -> int:
    settings = _settings(options)
    status = read_status(Path(settings.data_dir), settings.gateway_id, settings.outbox_bytes_max)
    ledger: dict[str, Any] = ledger_of(status)
    if options.json:
        print(json.dumps(ledger))
    else:
        print(f"gateway {ledger['gateway_id']}, epoch {ledger['epoch']}, in samples")
        for name in ("produced", "acked", "declared_dropped", "buffered"):
            print(f"  {name.replace('_', ' '):20} {ledger[name]:,}")
    return 0


def _decode(options: argparse.Namespace) -> int:
    profiles = ProfileSet.load(options.profile or [SHIPPED])
    payload = sys.stdin.buffer.read() if options.payload == "-" else Path(options.payload).read_bytes()
    try:
        if options.hex:
            payload = bytes.fromhex(payload.decode())
        for line in sample_lines(profiles, options.topic, payload, time.time_ns() // 1_000_000, options.all):
            print(line)
    except Undecodable as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"edge-agent: the payload is not hexadecimal: {error}", file=sys.stderr)
        return 1
    return 0


def _profile_check(options: argparse.Namespace) -> int:
    problems = check_files(options.files)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"{len(options.files)} profile{'s' if len(options.files) > 1 else ''} checked, all is well")
    return 1 if problems else 0
