"""A copy of a file, on disk when it is made; never readable by others, not even for a moment: secrets stand in the registry."""

import os
import shutil
from pathlib import Path


def copy_file(source: Path, target: Path) -> None:
    """Copy it under a name that must not be there. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with source.open("rb") as reading, os.fdopen(os.open(target, flags, 0o600), "wb") as writing:
        shutil.copyfileobj(reading, writing)
        writing.flush()
        os.fsync(writing.fileno())
