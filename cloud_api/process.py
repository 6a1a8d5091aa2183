"""What a process holds for itself alone: the data directory, its listening socket, the signals that end it."""

import asyncio
import contextlib
import fcntl
import signal
import socket
from collections.abc import Generator
from pathlib import Path


class ProgramError(Exception):
    """The program can't start; the message says why and what to do."""


@contextlib.contextmanager
def only_process(data_dir: Path) -> Generator[None]:
    """Hold the data directory for this process. Raises ProgramError when another one does."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)  # secrets of sites stand in the registry
    with (data_dir / "cloud.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ProgramError(f"another cloud-api works on {data_dir}; stop it first") from None
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ProgramError naming the address."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ProgramError(f"can't listen on {host}:{port}: {error.strerror}") from error


def stop_on_signals() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
