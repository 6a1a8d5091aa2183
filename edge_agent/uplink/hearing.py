"""Is what we say heard, and in which direction is the link lost? Pure: judged by what comes back, and how late."""

from typing import Literal

LinkWord = Literal["both", "broker_only", "down_only", "silent", "none"]


class Hearing:
    """One session's link. Times are the steady clock's, ms.

    both         answers come in time
    broker_only  the broker confirms what we publish, and no answer comes from ingest
    down_only    messages of the cloud come, and nothing that we say is confirmed: the way up is lost
    silent       nothing comes at all: the way down is lost, or the whole link
    none         there is no session
    """

    def __init__(self) -> None:
        self._connected = False
        self._waiting_ms: int | None = None  # since when an answer of ingest is awaited
        self._confirming_ms: int | None = None  # since when a PUBACK is awaited
        self._told_ms: int | None = None  # when a message of the cloud came that answers nothing

    def connected(self) -> None:
        """A session has begun."""
        self.__init__()  # type: ignore[misc]
        self._connected = True

    def lost(self) -> None:
        """The session has ended."""
        self.__init__()  # type: ignore[misc]

    def said(self, now_ms: int, wants_answer: bool = True) -> None:
        """Something was published, maybe something that ingest answers."""
        if self._confirming_ms is None:
            self._confirming_ms = now_ms
        if wants_answer and self._waiting_ms is None:
            self._waiting_ms = now_ms

    def confirmed(self) -> None:
        """A PUBACK has come."""
        self._confirming_ms = None

    def told(self, now_ms: int) -> None:
        """A message of the cloud has come that answers nothing: a command, the desired state, that ingest is there."""
        self._told_ms = now_ms

    def answered(self) -> None:
        """An acknowledgement of frames or a welcome has come."""
        self._waiting_ms = self._confirming_ms = None

    def unheard_ms(self, now_ms: int, late_ms: int) -> int:
        """For how long an answer has been awaited that is late by now (after ``late_ms``), else 0."""
        waited = now_ms - self._waiting_ms if self._waiting_ms is not None else 0
        return waited if waited >= late_ms else 0

    def link(self, now_ms: int, late_ms: int) -> LinkWord:
        """What is to be said of the link now."""
        if not self._connected:
            return "none"
        confirms_late = self._confirming_ms is not None and now_ms - self._confirming_ms >= late_ms
        if confirms_late:
            told = self._told_ms is not None and self._confirming_ms is not None and self._told_ms > self._confirming_ms
            return "down_only" if told else "silent"
        return "broker_only" if self.unheard_ms(now_ms, late_ms) else "both"
