"""A copy of a file, on disk when it is made; a secret one is never readable by others, not even for a moment."""

import os
import shutil
from pathlib import Path

from cloud_api.profiles.signing import KEY_FILE

SECRET = frozenset({KEY_FILE})
"""Names of files that only their owner may read, whatever the backup has been through."""


def copy_file(source: Path, target: Path) -> None:
    """Copy it under a name that must not be there. Raises OSError."""
    mode = 0o600 if source.name in SECRET else 0o666
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with source.open("rb") as reading, os.fdopen(os.open(target, flags, mode), "wb") as writing:
        shutil.copyfileobj(reading, writing)
        writing.flush()
        os.fsync(writing.fileno())
