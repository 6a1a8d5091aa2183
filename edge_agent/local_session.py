"""What is known on disk of the session on the local broker: that it is new, and that it has its subscription."""

from collections.abc import Callable

from edge_agent.outbox.writer import OutboxWriter

SUBSCRIBED = "subscribed"


class LocalSession:
    """Each step is on disk before the next one is taken, so that a crash in between is not taken for something else.

    subscribed  what the outbox's document SUBSCRIBED says
    forget      called when a session is new: deliveries that are in progress belong to the one before
    """

    def __init__(self, writer: OutboxWriter, subscribed: bool, forget: Callable[[], None]) -> None:
        self._writer = writer
        self._subscribed = subscribed
        self._forget = forget
        self._noted = subscribed  # what stands on disk

    def is_subscribed(self) -> bool:
        """Whether the session is known to have its subscription: the agent may have been killed before it had."""
        return self._subscribed

    async def asking(self) -> None:
        """CONNECT is next, which makes a session where there is none. Returns when it is on disk that nothing is known."""
        if self._noted:  # once, not at every attempt while the broker is away
            self._writer.pending.documents[SUBSCRIBED] = b""
            await self._writer.flushed()
            self._noted = False

    async def begin(self) -> None:
        """The broker had no session of ours: nothing of before is delivered again, and packet ids begin anew.

        Returns when that is on disk. Before that the agent must not subscribe: after a crash it would take a message of
        the new session, delivered again, for one of the old session that it has.
        """
        self._subscribed = False
        self._forget()
        batch = self._writer.pending
        batch.deliveries.clear()
        batch.acks.clear()  # the same numbers may soon mean other messages
        batch.session_new = True
        await self._writer.flushed()

    async def subscribed(self) -> None:
        """The broker has said so. Returns when that is on disk."""
        self._writer.pending.documents[SUBSCRIBED] = b"yes"
        await self._writer.flushed()
        self._subscribed = self._noted = True
