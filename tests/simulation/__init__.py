"""A deterministic simulation of one gateway and the cloud: the programs' own code, a simulated clock, network and disk.

``world`` is time and processes, ``local_broker`` and ``cloud_broker`` are the networks, ``disk`` is what a crash leaves,
``site`` puts the agent and ingest in, ``scenario`` makes faults from a seed and checks the ledger. docs/faults.md says
what the model can do.
"""
