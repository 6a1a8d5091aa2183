"""What docker-compose.yml starts, started here without containers: the same commands, settings, files and health checks.

Each service has its container's paths, host names and ports replaced by folders of the test, loopback and free ports.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

from tests.brokers import free_port
from tests.integration.deployment.compose import REPOSITORY, compose, real_environment, stages
from tests.postgres import USER as POSTGRES_USER
from tests.postgres import Postgres
from tests.processes import BIN, wait_for

PORTS = ("8883", "8884", "1883", "1884", "8080", "8081", "8082", "5432", "8086", "8087", "8088")
IN_IMAGES: dict[str, Path] = {"/opt/linli/broker_config": REPOSITORY / "broker_config"}


class NativeService:
    """One service of the compose file."""

    def __init__(self, name: str, service: dict[str, Any], folder: Path, ports: dict[str, str]) -> None:
        self.name = name
        self._ports = ports
        self._folder = folder / "services" / name
        self._folder.mkdir(parents=True)
        self._paths: dict[str, Path] = dict(IN_IMAGES)
        for volume in service.get("volumes", []):
            source, target = volume.split(":")[:2]
            self._paths[target] = Path(source) if source.startswith("/") else folder / "volumes" / source
            self._paths[target].mkdir(parents=True, exist_ok=True)
        for entry in service.get("tmpfs", []):
            if (target := entry.split(":")[0]) != "/tmp":
                self._paths[target] = self._folder / "tmpfs"
                self._paths[target].mkdir()
        for target, source in service["given_secrets"].items():
            self._paths[f"/run/secrets/{target}"] = Path(source)
        dockerfile = stages(REPOSITORY / service["build"]["dockerfile"])[-1]
        self.command = [self._here(word) for word in (*json.loads(dockerfile.last("ENTRYPOINT")), *service["command"])]
        if "mosquitto" in self.command[0] and os.getuid() == 0:
            # In its container it is not root. Here it would drop to a user who can't read the test's folders.
            template = self._folder / "template.conf"
            template.write_text(Path(self.command[1]).read_text() + "user root\n")
            self.command[1] = str(template)
        self.environment = {
            name: self._host(name, self._here(str(value))) for name, value in service["environment"].items()
        }
        self._health = [self._here(word) for word in service.get("healthcheck", {"test": [""]})["test"][1:]]
        self.process: subprocess.Popen[bytes] | None = None

    def _here(self, text: str) -> str:
        for inside, outside in sorted(self._paths.items(), key=lambda pair: -len(pair[0])):
            text = re.sub(rf"(?<![\w/]){re.escape(inside)}(?![\w-])", str(outside), text)
        return re.sub(rf"(?<!\d)({'|'.join(PORTS)})(?!\d)", lambda found: self._ports[found[0]], text)

    @staticmethod
    def _host(variable: str, value: str) -> str:
        if variable.endswith(("HOST", "URL", "ADDRESS")):
            value = re.sub(r"(?<=//)influxdb\b|(?<=@)postgres\b|^(cloud|gateway)-broker$", "localhost", value)
            return value.replace("0.0.0.0", "127.0.0.1")
        return value

    def _environment(self) -> dict[str, str]:
        path = f"{BIN}:{os.environ['PATH']}:/usr/sbin:/sbin"
        return {**real_environment(), **self.environment, "PATH": path}

    def log(self) -> str:
        """What it has written."""
        return (self._folder / "log").read_text(errors="replace")

    def run(self) -> None:
        """Run it to its end, as a service that does its work once."""
        with (self._folder / "log").open("ab") as log:
            code = subprocess.run(
                self.command, env=self._environment(), stdout=log, stderr=log, timeout=60, check=False
            ).returncode
        assert code == 0, self.log()

    def run_instead(self, *command: str) -> None:
        """`docker compose run --rm`: its program and environment with another command."""
        words = [self._here(word) if word.startswith("/") else word for word in command]
        done = subprocess.run(
            [self.command[0], *words], env=self._environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Start it, and wait until its health check says that it is well."""
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, env=self._environment(), stdout=log, stderr=log)

        def well() -> bool:
            assert self.process is not None and self.process.poll() is None, self.log()[-3000:]
            return self.healthy()

        wait_for(well, f"{self.name} to be well", 60, 0.2)

    def healthy(self) -> bool:
        """Its health check's own command."""
        command = [sys.executable, *self._health[1:]] if self._health[0] == "python" else self._health
        done = subprocess.run(command, env=self._environment(), capture_output=True, timeout=30, check=False)
        return done.returncode == 0

    def hang_up(self) -> None:
        """`docker compose kill -s HUP`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def listens_at(self) -> set[tuple[str, int]]:
        """Addresses at which it accepts connections."""
        assert self.process is not None
        every = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        links = []
        for each in every:
            with contextlib.suppress(psutil.NoSuchProcess):  # one that only watched a file has ended meanwhile
                links += [link for link in each.net_connections("tcp") if link.status == psutil.CONN_LISTEN]
        return {(link.laddr.ip, link.laddr.port) for link in links}

    def stop(self) -> None:
        """SIGTERM, as `docker compose stop`."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            assert self.process.wait(20) in (0, -signal.SIGTERM), self.log()[-2000:]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class NativeCompose:
    """Every service of both profiles, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets, self.site = folder / "secrets", folder / "site"
        self._secrets_script("cloud", self.secrets, "localhost")
        self._secrets_script("site", self.site)
        self.ports = {port: str(free_port()) for port in PORTS}
        document = compose(
            LINLI_SECRETS=str(self.secrets), LINLI_SITE=str(self.site), LINLI_CLOUD_MQTT_HOST="localhost",
        )  # fmt: skip
        self.services: dict[str, NativeService] = {}
        self.postgres = Postgres(Path(tempfile.mkdtemp(prefix="linli-postgres-")))
        self.postgres.port = int(self.ports["5432"])
        self.pg_isready = [
            re.sub(r"\b5432\b", self.ports["5432"], word)
            for word in document["services"]["postgres"]["healthcheck"]["test"][1:]
        ]
        for name, service in document["services"].items():
            if name == "postgres":
                continue  # its image's own entry point is not here
            given = [each if isinstance(each, dict) else {"source": each} for each in service.get("secrets", [])]
            files = {each.get("target", each["source"]): document["secrets"][each["source"]]["file"] for each in given}
            for file in files.values():
                assert Path(file).is_file(), f"deploy/secrets.sh does not make {file}"
            self.services[name] = NativeService(name, {**service, "given_secrets": files}, folder, self.ports)

    def _secrets_script(self, *arguments: str | Path) -> None:
        environment = {**real_environment(), "PATH": f"{BIN}:{os.environ['PATH']}"}
        script = [REPOSITORY / "deploy" / "secrets.sh", *map(str, arguments)]
        subprocess.run(script, env=environment, check=True, capture_output=True)

    def start_postgres(self) -> None:
        """As its image would: a cluster with the account, its password and an empty database."""
        self.postgres.make()
        self.postgres.start()
        password = (self.secrets / "postgres_password").read_text().strip()
        self.postgres.query(f"CREATE DATABASE {POSTGRES_USER}")
        self.postgres.query(f"ALTER USER {POSTGRES_USER} PASSWORD '{password}'")
        assert subprocess.run(self.pg_isready, check=False).returncode == 0

    def add_device(self, name: str, password: str) -> None:
        """A device that may sign in at the gateway, as docs/ops/deploy.md says."""
        passwords = self.site / "access" / "passwords"
        passwords.chmod(0o640)
        tool = shutil.which("mosquitto_passwd") or "/usr/sbin/mosquitto_passwd"
        subprocess.run([tool, "-b", passwords, name, password], check=True, capture_output=True)

    def stop(self) -> None:
        """Everything, the last one first; what can't leave in order is killed, and the error raised at the end."""
        errors = []
        for service in reversed(self.services.values()):
            try:
                service.stop()
            except (AssertionError, subprocess.TimeoutExpired) as error:
                errors.append(f"{service.name}: {error}")
        self.postgres.stop()
        shutil.rmtree(self.postgres.folder, ignore_errors=True)
        assert not errors
