"""A network namespace for the agent, with a real link whose packets nft loses. Needs root, as the tests in CI have."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


def run(*command: str, text: str | None = None) -> str:
    """Run a command; its output. Raises subprocess.CalledProcessError."""
    return subprocess.run(command, check=True, capture_output=True, text=True, input=text).stdout


class Namespace:
    """One namespace and its link to the tests' own. near: the tests' end; far: the agent's."""

    def __init__(self, number: int) -> None:
        self.name = f"linli-{number}"
        self.near = f"10.213.{number % 250}.1"
        self.far = f"10.213.{number % 250}.2"
        self._ends = (f"lnl{number}a", f"lnl{number}b")

    def make(self) -> None:
        """Make it, and the link."""
        near, far = self._ends
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", self.name)
        run("ip", "addr", "add", f"{self.near}/24", "dev", near)
        run("ip", "link", "set", near, "up")
        for command in (f"addr add {self.far}/24 dev {far}", f"link set {far} up", "link set lo up"):
            run("ip", "-n", self.name, *command.split())

    def remove(self) -> None:
        """Remove both."""
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", self._ends[0]], check=False, capture_output=True)

    @property
    def prefix(self) -> list[str]:
        """Put before a command, it runs in there."""
        return ["ip", "netns", "exec", self.name]

    def lose(self, port: int, percent: int, *ways: str) -> None:
        """Lose so many packets to (way "up") and from ("down") this port of the near end; 0: none any more."""
        rules = []
        if percent:
            lot = f"numgen random mod 100 < {percent} " if percent < 100 else ""
            up = f"add rule inet links out tcp dport {port} {lot}counter drop"
            down = f"add rule inet links in tcp sport {port} {lot}counter drop"
            rules = [rule for way, rule in (("up", up), ("down", down)) if not ways or way in ways]
        script = "\n".join([
            "add table inet links", "delete table inet links", "add table inet links",
            "add chain inet links out { type filter hook output priority 0; }",
            "add chain inet links in { type filter hook input priority 0; }", *rules,
        ])  # fmt: skip
        run(*self.prefix, "nft", "-f", "-", text=script)

    def lost(self) -> int:
        """Packets lost since the last ``lose``."""
        found = run(*self.prefix, "nft", "list", "table", "inet", "links")
        return sum(map(int, re.findall(r"counter packets (\d+)", found)))


@contextmanager
def running_namespace() -> Iterator[Namespace]:
    """A namespace for the length of a test."""
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("network namespaces need root")
    namespace = Namespace(os.getpid() % 10_000)
    try:
        namespace.make()
        yield namespace
    finally:
        namespace.remove()
