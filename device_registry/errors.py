"""What the registry refuses.

RegistryError
├── NotFound         no such row
└── Conflict         the change contradicts what is there
"""


class RegistryError(Exception):
    """Something the registry does not do; the text says why, for people."""


class NotFound(RegistryError):
    """There is no ``what`` with this id."""

    def __init__(self, what: str, key: str) -> None:
        super().__init__(f"there is no {what} {key!r}")
        self.what = what
        self.key = key


class Conflict(RegistryError):
    """The change contradicts what is there."""
