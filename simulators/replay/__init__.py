"""Real data and vendors' fixtures, played through the door that devices use."""
