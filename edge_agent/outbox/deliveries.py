"""The last deliveries of the local broker, so that a message that comes again after a crash is recognised.

Kept in the outbox file, in the transaction of the frames; a ring of commits, bounded by what can be in flight.
"""

import sqlite3
from collections import deque
from collections.abc import Iterable

from edge_agent.outbox.batch import Batch, Delivery

KEPT = 8_192
"""More than a broker may have in flight to us at once: only those can be delivered again."""
_PACKED_BYTES = 10


class Deliveries:
    """``recent``: packet id -> digest of the newest delivery with it."""

    def __init__(self) -> None:
        self.recent: dict[int, bytes] = {}
        self._commit_number = 0
        self._held: deque[tuple[int, bytes]] = deque()  # commit number, its deliveries as the file has them
        self._count = 0

    def load(self, db: sqlite3.Connection) -> None:
        """Read what the file knows; ``recent`` stays the same dict."""
        self.recent.clear()
        self._held.clear()
        self._commit_number = self._count = 0
        for number, packed in db.execute("SELECT commit_number, packed FROM deliveries ORDER BY commit_number"):
            self.recent.update(_unpack(packed))
            self._held.append((number, packed))
            self._count += len(packed) // _PACKED_BYTES
            self._commit_number = number

    def write(self, db: sqlite3.Connection, batch: Batch) -> None:
        """In the transaction of the batch."""
        if batch.session_new:
            db.execute("DELETE FROM deliveries")
        if not batch.deliveries:
            return
        db.execute("INSERT INTO deliveries VALUES (?, ?)", (self._commit_number + 1, _pack(batch.deliveries)))
        count, oldest = self._count + len(batch.deliveries), 0
        for number, packed in self._held:
            if (count := count - len(packed) // _PACKED_BYTES) < KEPT:
                break
            oldest = number
        if oldest:
            db.execute("DELETE FROM deliveries WHERE commit_number <= ?", (oldest,))

    def committed(self, batch: Batch) -> None:
        """The batch is on disk: remember in memory too."""
        if batch.session_new:
            self.recent.clear()
            self._held.clear()
            self._count = 0
        if not batch.deliveries:
            return
        self._commit_number += 1
        self._held.append((self._commit_number, _pack(batch.deliveries)))
        self._count += len(batch.deliveries)
        self.recent.update(batch.deliveries)
        while self._count - len(self._held[0][1]) // _PACKED_BYTES >= KEPT:
            for delivery in _unpack(self._held.popleft()[1]):
                self._count -= 1
                if self.recent.get(delivery.packet_id) == delivery.digest:
                    del self.recent[delivery.packet_id]

    def write_all(self, db: sqlite3.Connection) -> None:
        """Put what memory knows into a new file, in its transaction."""
        if self.recent:
            db.execute("INSERT INTO deliveries VALUES (1, ?)", (_pack(self.recent.items()),))


def _pack(deliveries: Iterable[tuple[int, bytes]]) -> bytes:
    return b"".join([packet_id.to_bytes(2, "big") + digest for packet_id, digest in deliveries])


def _unpack(packed: bytes) -> list[Delivery]:
    return [
        Delivery(int.from_bytes(packed[at : at + 2], "big"), packed[at + 2 : at + _PACKED_BYTES])
        for at in range(0, len(packed), _PACKED_BYTES)
    ]
