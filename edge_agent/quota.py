"""How much one topic may say. Pure: the caller gives the time. One device's flood is cut off, its neighbours are not."""

TOPICS_MAX = 4_096


class Quota:
    """A generic cell rate for each topic: ``rate_per_s`` in the long run, ``burst`` messages at once. rate 0: no limit."""

    def __init__(self, rate_per_s: float, burst: int) -> None:
        self._step_ms = 1000 / rate_per_s if rate_per_s else 0.0
        self._ahead_ms = self._step_ms * burst
        self._due_ms: dict[str, float] = {}

    def allows(self, topic: str, now_ms: int) -> bool:
        """Count a message. False: it is too much, and was not counted."""
        if not self._step_ms:
            return True
        due_ms = max(self._due_ms.get(topic, 0.0), now_ms) + self._step_ms
        if due_ms - now_ms > self._ahead_ms:
            return False
        if len(self._due_ms) >= TOPICS_MAX and topic not in self._due_ms:
            self._forget_quiet(now_ms)
        self._due_ms[topic] = due_ms
        return True

    def _forget_quiet(self, now_ms: int) -> None:
        kept = {topic: due_ms for topic, due_ms in self._due_ms.items() if due_ms > now_ms}
        self._due_ms = kept if len(kept) < TOPICS_MAX else {}
