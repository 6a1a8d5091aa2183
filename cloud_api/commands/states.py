"""The life of a command. All that moves its state is in this file, as a table.

Two sides speak. The *cloud* knows what it sent and when the time to live ran out; the *gateway* knows what happened.
The gateway's word always wins over the cloud's guess: ``lapsed`` (shown as ``expired``) is the cloud's guess that a sent
command came too late because no word came back; a gateway that was only slow to report moves it on.

Words of the gateway may come twice and in any order (they travel in frames): a word that lies behind the state changes
nothing. What telemetry shows may come before the gateway's word; it is kept beside the command (``effect_ms``) and
applied as soon as the table allows it.
"""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where a command is. The value is what people see, but for LAPSED (see ``shown``)."""

    QUEUED = "queued"  # accepted, not sent: its gateway is not there yet
    SENT = "sent"  # given to the broker while the gateway was there
    RECEIVED = "received"  # the gateway has it on disk
    EXECUTING = "executing"  # the gateway told the device
    LAPSED = "lapsed"  # sent, time to live over, no word from the gateway
    SUCCEEDED = "succeeded"  # the device said that it obeyed
    FAILED = "failed"  # the device refused or did not answer
    REJECTED = "rejected"  # the gateway refused: precondition, profile, arguments
    EXPIRED = "expired"  # never acted on: too late
    CANCELLED = "cancelled"  # withdrawn before it began
    UNKNOWN = "unknown"  # the gateway may or may not have acted; it is never driven again
    CONFIRMED = "confirmed"  # telemetry shows the effect


class Event(StrEnum):
    """What can happen to a command. The value names it in documents."""

    SENT = "sent"
    TTL_PASSED = "time to live passed"
    CANCEL_ASKED = "cancel asked"
    RECEIVED = "gateway: received"
    EXECUTING = "gateway: executing"
    SUCCEEDED = "gateway: succeeded"
    FAILED = "gateway: failed"
    REJECTED = "gateway: rejected"
    EXPIRED = "gateway: expired"
    CANCELLED = "gateway: cancelled"
    UNKNOWN = "gateway: unknown"
    EFFECT_SEEN = "effect seen"


GATEWAY_WORDS: Mapping[str, Event] = {
    "received": Event.RECEIVED,
    "executing": Event.EXECUTING,
    "succeeded": Event.SUCCEEDED,
    "failed": Event.FAILED,
    "rejected": Event.REJECTED,
    "expired": Event.EXPIRED,
    "cancelled": Event.CANCELLED,
    "unknown": Event.UNKNOWN,
}

_ENDS: Mapping[Event, State] = {
    Event.SUCCEEDED: State.SUCCEEDED,
    Event.FAILED: State.FAILED,
    Event.REJECTED: State.REJECTED,
    Event.EXPIRED: State.EXPIRED,
    Event.CANCELLED: State.CANCELLED,
    Event.UNKNOWN: State.UNKNOWN,
}
_WORDS: Mapping[Event, State] = {Event.RECEIVED: State.RECEIVED, Event.EXECUTING: State.EXECUTING, **_ENDS}

# State -> event -> next state. An event that is not in a state's row changes nothing.
# A gateway's word in QUEUED: the cloud crashed between sending and noting that it had sent.
NEXT: Mapping[State, Mapping[Event, State]] = {
    State.QUEUED: {
        Event.SENT: State.SENT,
        Event.TTL_PASSED: State.EXPIRED,
        Event.CANCEL_ASKED: State.CANCELLED,
        **_WORDS,
    },
    State.SENT: {Event.TTL_PASSED: State.LAPSED, **_WORDS},
    State.LAPSED: _WORDS,
    State.RECEIVED: {Event.EXECUTING: State.EXECUTING, **_ENDS},
    State.EXECUTING: {**_ENDS, Event.EFFECT_SEEN: State.CONFIRMED},
    State.SUCCEEDED: {Event.EFFECT_SEEN: State.CONFIRMED},
    State.UNKNOWN: {Event.EFFECT_SEEN: State.CONFIRMED},
    State.FAILED: {},
    State.REJECTED: {},
    State.EXPIRED: {},
    State.CANCELLED: {},
    State.CONFIRMED: {},
}

ENDED = frozenset(
    {State.SUCCEEDED, State.FAILED, State.REJECTED, State.EXPIRED, State.CANCELLED, State.UNKNOWN, State.CONFIRMED}
)
"""States in which nothing more will be sent, and which no cancel can change."""

UNSENT = frozenset({State.QUEUED, State.SENT})
"""States in which the sender still has work: the gateway has not said that it has the command."""


def after(state: State, event: Event) -> State:
    """The state after the event; the same one when the table has nothing for it."""
    return NEXT[state].get(event, state)


def shown(state: State) -> str:
    """The word that people see."""
    return "expired" if state is State.LAPSED else state.value


def table() -> str:
    """The table in Markdown; docs/commands.md carries it and a test holds the two together."""
    lines = ["| state | event | next state |", "|---|---|---|"]
    for state, row in NEXT.items():
        lines += [f"| {state.value} | {event.value} | {following.value} |" for event, following in row.items()]
        if not row:
            lines.append(f"| {state.value} | — | the end |")
    return "\n".join(lines)
