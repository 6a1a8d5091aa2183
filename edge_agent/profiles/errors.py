"""What can go wrong with profiles.

Undecodable     a device's message can't be read: goes to quarantine with its reason
CodecRefused    bytes are not in a layout: inside the engine; becomes Undecodable
ActionRefused   a command can't be said to this device: the command is rejected with the reason
ProfileError    a profile document is wrong: it is not loaded, and the person who wrote it is told where
"""


class Undecodable(Exception):
    """A message that can't be read. reason: a stable snake_case word; detail: for people; profile: the best candidate."""

    def __init__(self, reason: str, detail: str = "", profile: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.profile = profile


class CodecRefused(Exception):
    """These bytes are not in this layout. ``reason`` is a snake_case word."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class ActionRefused(Exception):
    """A command that this device can't be told. reason: a stable snake_case word."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class ProfileError(Exception):
    """A profile document that is wrong. place: the key path in the document, such as ``$.messages[0].decode``."""

    def __init__(self, file: str, place: str, message: str) -> None:
        super().__init__(f"{file}: {place}: {message}" if place else f"{file}: {message}")
        self.file = file
        self.place = place
        self.message = message
