"""Fault tests. LINLI_FAULTS=long (make faults) runs them at full length; else they are scaled to CI."""

import os

LONG = os.environ.get("LINLI_FAULTS") == "long"
KILLS = 200 if LONG else 3
OUTAGE_S = 60 if LONG else 8
