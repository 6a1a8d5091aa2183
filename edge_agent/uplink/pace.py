"""How many frames may be on their way, and how long their answers may take: both learnt from the answers. Pure.

The time to wait is as TCP's (RFC 6298), with more patience, for TCP itself sends again what the link loses: twice the
smoothed time to an answer plus four times its variation, doubled with every timeout. The answer to a frame that was sent
twice is counted from the first time: nobody knows which it is for, and patience costs least. The number of frames doubles
with every round trip until answers queue or fail to come; then it is halved, and grows by one a round trip (as in TCP
Vegas: a slow link is not filled with what then comes too late).
"""

FRAMES_FIRST = 4
FRAMES_MIN = 2
QUEUE_MS = 800
"""An answer that takes so much longer than the quickest one has waited in a queue of our own making."""
RESEND_MS_MAX = 120_000
OVERTAKEN_MS_MIN = 200
FORGET_SHARE = 1 / 1_000
"""How fast the quickest answer is forgotten: the way may have become longer."""


class Pace:
    """frames: how many may be unanswered, 2..frames_max. resend_after_ms: when an answer is late, never less than given."""

    def __init__(self, frames_max: int, resend_after_ms: int) -> None:
        self.frames_max = frames_max
        self._least_ms = resend_after_ms
        self._smooth_ms = 0.0
        self._varies_ms = 0.0
        self._patience = 1
        self._link_up()

    def _link_up(self) -> None:
        self._frames = float(min(FRAMES_FIRST, self.frames_max))
        self._doubling = True
        self._quickest_ms = 0.0
        self._eased_ms: int | None = None

    @property
    def frames(self) -> int:
        """How many frames may be sent and unanswered now."""
        return int(self._frames)

    @property
    def answer_ms(self) -> int:
        """What an answer may take on a link like this one."""
        return int(max(2 * self._smooth_ms + 4 * self._varies_ms, self._least_ms))

    @property
    def resend_after_ms(self) -> int:
        """When an answer is late: ``answer_ms``, and more after each time that none came."""
        return min(self.answer_ms * self._patience, max(RESEND_MS_MAX, self._least_ms))

    @property
    def overtaken_after_ms(self) -> int:
        """A frame that was sent so long before one that has been answered is lost (as in RACK, RFC 8985)."""
        return int(max(self._smooth_ms, OVERTAKEN_MS_MIN))

    def link_up(self) -> None:
        """Another session, maybe over another way: begin with a few frames again. What answers take is kept."""
        self._link_up()

    def answered(self, took_ms: int, now_ms: int, again: bool = False) -> None:
        """A frame has been answered. again: it was sent more than once; then took_ms counts from the first time."""
        if self._smooth_ms:
            self._varies_ms += (abs(took_ms - self._smooth_ms) - self._varies_ms) / 4
            self._smooth_ms += (took_ms - self._smooth_ms) / 8
        else:
            self._smooth_ms, self._varies_ms = float(max(took_ms, 1)), took_ms / 2
        self._patience = 1
        if again:
            return
        self._quickest_ms = min(took_ms, self._quickest_ms + took_ms * FORGET_SHARE) if self._quickest_ms else took_ms
        self._doubling = self._doubling and took_ms <= self._quickest_ms + QUEUE_MS / 4
        if took_ms > self._quickest_ms + QUEUE_MS:
            self._ease(now_ms)
        else:
            self._frames = min(self.frames_max, self._frames + (1 if self._doubling else 1 / self._frames))

    def late(self, now_ms: int) -> None:
        """Answers have failed to come in time."""
        if self._ease(now_ms):
            self._patience = min(self._patience * 2, 64)

    def _ease(self, now_ms: int) -> bool:
        """Half as many, once in the time that an answer takes: what is on its way was sent before."""
        if self._eased_ms is not None and now_ms - self._eased_ms < self._smooth_ms:
            return False
        self._eased_ms = now_ms
        self._doubling = False
        self._frames = max(self._frames / 2, min(FRAMES_MIN, self.frames_max))
        return True
