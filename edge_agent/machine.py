"""What the agent learns from its machine: which boot this is, which machine and folder, how much memory it takes."""

import hashlib
import os
import resource
from pathlib import Path

import msgspec

from edge_agent.clock import Kept


def boot_id() -> str:
    """Names the machine's boot; "" where it is not told."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def instance_of(data_dir: Path) -> str:
    """Names this machine and data folder: an outbox that is copied elsewhere runs under another name."""
    try:
        machine = Path("/etc/machine-id").read_text().strip()
    except OSError:
        machine = ""
    place = data_dir.stat()
    return hashlib.blake2b(f"{machine} {place.st_dev} {place.st_ino}".encode(), digest_size=8).hexdigest()


def read_kept(data_dir: Path) -> Kept | None:
    """What the clock remembers, or None."""
    try:
        return msgspec.json.decode((data_dir / "clock.json").read_bytes(), type=Kept)
    except (OSError, msgspec.MsgspecError):
        return None


def write_kept(data_dir: Path, kept: Kept) -> None:
    """Keep what the clock remembers. Raises OSError."""
    fresh = data_dir / "clock.json.new"
    fresh.write_bytes(msgspec.json.encode(kept))
    fresh.replace(data_dir / "clock.json")


def resident_bytes() -> int:
    """Memory that this process holds."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")
