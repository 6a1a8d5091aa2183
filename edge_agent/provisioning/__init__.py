"""How a gateway comes in, and stays in: a claim, a key that is born here, a certificate, and the next one before it ends.

`edge-agent provision` (``ceremony``) can be run again after whatever went wrong: the key stays until all is there, and the
cloud gives the same key the same certificate. ``renewal`` runs with the agent.
"""

from edge_agent.provisioning.identity_files import IdentityFiles
from edge_agent.provisioning.renewal import Renewal

__all__ = ["IdentityFiles", "Renewal"]
