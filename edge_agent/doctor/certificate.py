"""The gateway's own certificate: is it there, is it this gateway's, for how long does it hold?"""

import time
from pathlib import Path

from edge_agent.doctor.finding import Finding
from edge_agent.provisioning.identity_files import read_facts
from edge_agent.provisioning.renewal import due_ms, ended

CLAIM = "ask the property manager for a claim, then run edge-agent provision"


def check_certificate(identity: Path, gateway_id: str, now_ms: int) -> Finding:
    """An identity file as `edge-agent provision` makes it."""
    try:
        facts = read_facts(identity)
    except OSError as error:
        then = "run this as the agent's user, and see that the file is that user's"
        return Finding("certificate", "fail", f"{identity} can't be read: {error.strerror}", then)
    if facts is None:
        return Finding("certificate", "fail", f"there is no identity in {identity}", CLAIM)
    if facts.gateway_id != gateway_id:
        then = "correct LINLI_GATEWAY_ID, or bring this gateway in by a claim of its own"
        return Finding("certificate", "fail", f"it is {facts.gateway_id}'s, and this is {gateway_id}", then)
    if text := ended(facts, now_ms):
        return Finding("certificate", "fail", text, f"if this machine's clock is right: {CLAIM}")
    if now_ms < facts.begins_ms:
        return Finding("certificate", "fail", "it does not hold yet by this machine's clock", "set the clock")
    until = time.strftime("%Y-%m-%d", time.gmtime(facts.ends_ms / 1000))
    if identity.stat().st_mode & 0o077:
        return Finding("certificate", "warn", "others may read the key", f"chmod 0600 {identity}")
    late_ms = now_ms - due_ms(facts)
    if late_ms > (facts.ends_ms - facts.begins_ms) // 12:
        text = f"it should have been renewed {late_ms // 86_400_000} days ago; it holds until {until}"
        return Finding("certificate", "warn", text, f"see that the agent runs and reaches the cloud; else {CLAIM}")
    return Finding("certificate", "ok", f"holds until {until}; it is renewed by itself before that")
