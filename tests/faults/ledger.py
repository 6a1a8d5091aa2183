"""The pass line of the fault tests: each message is stored once or in a declared range, to the sample."""

from typing import Any

from tests.processes import Site, wait_for


def accounted_for(site: Site, device: str, numbers: list[int], deadline_s: float = 40) -> dict[str, Any]:
    """Wait until it is so for these messages of one device, two samples each. Returns the ledger.

    Ranges that have gone with a damaged file may be declared beside what is stored, never silently.
    """
    wanted = 2 * len(set(numbers))

    def all_told() -> dict[str, Any] | None:
        ledger = site.balanced()
        return ledger if ledger and ledger["produced"] >= wanted else None

    ledger = wait_for(all_told, "every message to be accounted for", deadline_s, 0.1)
    found = wait_for(lambda: site.cloud.device(device), "the device")
    wait_for(lambda: 2 * len(site.cloud.samples(found["id"], "message_count")) >= ledger["stored"], "telemetry", 20)
    stored = [point["value"] for point in site.cloud.samples(found["id"], "message_count")]
    assert len(stored) == len(set(stored)), "stored twice"
    assert set(stored) <= set(numbers)
    assert ledger["unexplained"] == 0
    assert ledger["produced"] == ledger["stored"] + ledger["declared_dropped"] == wanted, ledger
    assert 2 * len(stored) == ledger["stored"]
    return ledger
