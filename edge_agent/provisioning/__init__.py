"""How a gateway comes in: a claim, a key that is born here, a certificate request, a certificate.

`edge-agent provision` does it in this order and can be run again after whatever went wrong: the key stays, and the cloud gives
the same key the same certificate.
"""

from edge_agent.provisioning.ceremony import Ceremony, ProvisionFailed, provision
from edge_agent.provisioning.identity_files import IdentityFiles

__all__ = ["Ceremony", "IdentityFiles", "ProvisionFailed", "provision"]
