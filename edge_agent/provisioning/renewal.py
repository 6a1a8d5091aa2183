"""A gateway's certificate is renewed over its own session with the cloud, before it ends.

The next identity lies beside the one in use until a session has begun with it; then it takes that one's place, in one step.
Until the cloud hears that the new one is in use, both hold. Whenever the agent dies, one that holds is on disk.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from pathlib import Path

from contracts.messages import CertificateIssued, CertificateWanted
from edge_agent.provisioning.identity_files import CertificateFacts, IdentityFiles, read_facts, write_private

log = logging.getLogger(__name__)

DUE_SHARE = 2 / 3
"""Of a certificate's life."""
AGAIN_SHARE = 1 / 500
"""Of its life: so long an answer is waited for. Four hours of ninety days."""
LOOK_S_MIN, LOOK_S_MAX = 1.0, 3_600.0


class Renewal:
    """``run`` beside the session with the cloud, which says with ``session_begun`` that it holds.

    ask          puts a request on its way; connected: is there somebody to ask?
    begin_anew   ends the session, so that the next one uses the new identity
    """

    def __init__(
        self,
        identity: Path,
        gateway: str,
        now_ms: Callable[[], int],
        jitter: random.Random,
        ask: Callable[[CertificateWanted], None],
        connected: Callable[[], bool],
        begin_anew: Callable[[], None],
        checkpoint: Callable[[str], None] = lambda place: None,
    ) -> None:
        self._files = IdentityFiles(identity.parent)
        self._files.identity = identity
        self._gateway = gateway
        self._now_ms = now_ms
        self._jitter = jitter
        self._ask = ask
        self._connected = connected
        self._begin_anew = begin_anew
        self._checkpoint = checkpoint
        self._facts = read_facts(identity)
        self._tries_next = False
        self._next_failed = False
        self._began_with = ""
        self._answer: CertificateIssued | None = None
        self._ask_after_ms = 0
        self._some = asyncio.Event()
        self.serial = self._facts.serial if self._facts else ""
        """Of the certificate of the present session, or of the last one."""
        self.renewed = 0

    def identity(self) -> Path:
        """The file by which the next session proves who we are: by turns the next one, where there is one, and this one."""
        self._facts = read_facts(self._files.identity)  # a new claim may have brought another
        following = read_facts(self._files.renewal)
        if following is not None and not self._tries_next:
            self._tries_next = True
            self.serial = following.serial
            return self._files.renewal
        self._next_failed = self._tries_next and following is not None
        self._tries_next = False
        self.serial = self._facts.serial if self._facts else ""
        return self._files.identity

    def session_begun(self) -> None:
        """A session has begun with the identity that was given last."""
        self._began_with = "next" if self._tries_next else "present, not with the next" if self._next_failed else ""
        self._some.set()

    def answered(self, answer: CertificateIssued) -> None:
        """The cloud has answered."""
        self._answer = answer
        self._some.set()

    def hindrance(self) -> str:
        """Why the gateway can't come in for itself any more, "" when it can."""
        return ended(self._facts, self._now_ms())

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._work()
            except OSError as error:
                log.error("the certificate can't be renewed", extra={"error": str(error)})
                self._ask_after_ms = self._now_ms() + self._wait_ms()
            try:
                async with asyncio.timeout(self._look_s()):
                    await self._some.wait()
            except TimeoutError:
                pass
            self._some.clear()

    async def _work(self) -> None:
        began_with, self._began_with = self._began_with, ""
        if began_with == "next" and self._files.renewal.exists():
            self._checkpoint("before_promotion")
            await asyncio.to_thread(self._files.promote_renewal)
            self._checkpoint("after_promotion")
            self._facts = read_facts(self._files.identity)
            self.renewed += 1
            log.info("certificate renewed", extra={"serial": self.serial})
        elif began_with:
            log.error("the new certificate is not accepted; going on with the present one")
            self._files.drop_renewal()
            self._ask_after_ms = self._now_ms() + self._wait_ms()
        answer, self._answer = self._answer, None
        if answer is not None and self._facts is not None and answer.serial == self._facts.serial:
            await self._take(answer)
        elif self._is_due() and self._connected() and self._now_ms() >= self._ask_after_ms:
            wanted = await asyncio.to_thread(self._request, self._facts.serial) if self._facts else None
            if wanted is not None:
                self._checkpoint("before_request")
                self._ask(wanted)
                self._ask_after_ms = self._now_ms() + self._wait_ms()
                log.info("certificate is due for renewal", extra={"serial": wanted.serial})

    def _is_due(self) -> bool:
        if self._facts is None or self._files.renewal.exists():
            return False
        return self._facts.begins_ms < self._now_ms() and self._now_ms() >= due_ms(self._facts)

    def _request(self, serial: str) -> CertificateWanted | None:
        from edge_agent.provisioning.requests import kept_key, own_key, proven_request  # memory that is rarely needed

        try:
            request, proof = proven_request(kept_key(self._files.renewal_key), own_key(self._files.identity))
        except ValueError as error:
            log.error("the key can't be read", extra={"error": str(error)})
            return None
        return CertificateWanted(request=request, serial=serial, proof=proof, at_ms=self._now_ms())

    async def _take(self, answer: CertificateIssued) -> None:
        if not answer.certificate:
            log.error("the cloud does not renew the certificate", extra={"reason": answer.reason})
            return
        if await asyncio.to_thread(self._keep, answer.certificate):
            self._checkpoint("after_next_kept")
            self._tries_next = False
            self._begin_anew()

    def _keep(self, certificate: str) -> bool:
        from edge_agent.provisioning.requests import CertificateUnfit, identity_of, own_key

        if self._files.renewal.exists() or not self._files.renewal_key.exists():
            return False  # an answer that comes twice, or late
        try:
            key = own_key(self._files.renewal_key)
            _, identity = identity_of(key, certificate, self._gateway, self._now_ms())
        except (CertificateUnfit, ValueError) as error:
            log.error("what the cloud has sent is no certificate of ours", extra={"error": str(error)})
            return False
        write_private(self._files.renewal, identity)
        return True

    def _wait_ms(self) -> int:
        life_ms = self._facts.ends_ms - self._facts.begins_ms if self._facts else 0
        return int(self._jitter.uniform(0.5, 1) * life_ms * AGAIN_SHARE) + 200

    def _look_s(self) -> float:
        if self._facts is None:
            return LOOK_S_MAX
        then_ms = max(due_ms(self._facts), self._ask_after_ms)
        return min(LOOK_S_MAX, max(LOOK_S_MIN, (then_ms - self._now_ms()) / 1000))


def due_ms(facts: CertificateFacts) -> int:
    """When this certificate is to be renewed, ms UTC."""
    return facts.begins_ms + int(DUE_SHARE * (facts.ends_ms - facts.begins_ms))


def ended(facts: CertificateFacts | None, now_ms: int) -> str:
    """What to say of a certificate whose time is over, "" while it holds."""
    if facts is None or now_ms < facts.ends_ms:
        return ""
    days = (now_ms - facts.ends_ms) // 86_400_000
    return (
        f"the certificate of {facts.gateway_id} ended {days} days ago: nothing goes up until it has another. "
        "Ask the property manager for a claim, then run edge-agent provision"
    )
