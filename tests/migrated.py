"""Databases that have the registry's schema already, and nothing else.

Making it from its migrations takes 1.5 CPU seconds, more than most tests. That it can be made so, `integration/registry`,
`integration/deployment` and the demo show.
"""

import asyncio
import functools
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import device_registry as registry
from cloud_api.records import APPS


def migrate_now(where: registry.Where) -> None:
    """Make the schema, also where a loop is running already."""
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(asyncio.run, registry.migrate(where, APPS)).result()


@functools.cache
def _file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "registry.sqlite"
        migrate_now(f"sqlite://{file}")
        return file.read_bytes()


def put_registry(data_dir: Path) -> Path:
    """A registry without content in a cloud's data folder, unless there is one. Returns its file."""
    file = data_dir / "registry.sqlite"
    if not file.exists():
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_bytes(_file())
        file.chmod(0o600)
    return file
