"""`simulate demo`, what `make run` runs: the whole system on this machine, with simulated devices."""
