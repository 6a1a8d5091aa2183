"""The topics between gateway and cloud: names, and who may write them.

Root ``linli/1/<gateway>/``. A gateway reads and writes only below its own name; ``linli/1/ingest`` is for all to read.
"""

import re

ROOT = "linli/1"
GATEWAY_ID = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}$")

INGEST = f"{ROOT}/ingest"  # retained IngestState, written by the cloud
ALL_UP = f"{ROOT}/+/up/+"  # what ingest subscribes to
ALL_STATE = f"{ROOT}/+/state"

LANES = ("urgent", "bulk")
"""The two lanes of the outbox; a lane's place here is its number in frames."""


def up(gateway: str, lane: str) -> str:
    """Frames, gateway to cloud (QoS 1)."""
    return f"{ROOT}/{gateway}/up/{lane}"


def state(gateway: str) -> str:
    """Retained GatewayState: birth, heartbeat, and death as the will."""
    return f"{ROOT}/{gateway}/state"


def ack(gateway: str) -> str:
    """FrameAck, cloud to gateway (QoS 0: a lost one is made good by the next)."""
    return f"{ROOT}/{gateway}/down/ack"


def welcome(gateway: str) -> str:
    """Welcome, cloud to gateway (QoS 0: a state asks again): the answer to a state that asks."""
    return f"{ROOT}/{gateway}/down/welcome"


def certificate(gateway: str) -> str:
    """CertificateIssued, cloud to gateway (QoS 0: the gateway asks again)."""
    return f"{ROOT}/{gateway}/down/certificate"


def command(gateway: str) -> str:
    """Command, cloud to gateway (QoS 1, never retained)."""
    return f"{ROOT}/{gateway}/down/command"


def desired(gateway: str) -> str:
    """Retained DesiredState, cloud to gateway."""
    return f"{ROOT}/{gateway}/desired"


def gateway_of(topic: str) -> str:
    """The gateway a topic belongs to. Raises ValueError if the topic is not below ``linli/1/<gateway>/``."""
    parts = topic.split("/")
    if len(parts) < 4 or parts[0] != "linli" or parts[1] != "1" or not GATEWAY_ID.match(parts[2]):
        raise ValueError(f"not a gateway's topic: {topic!r}")
    return parts[2]
