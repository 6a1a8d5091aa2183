"""What all messages have in common."""

from typing import Literal

import msgspec

Lane = Literal["urgent", "bulk"]


class Message(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What every message has in common."""
