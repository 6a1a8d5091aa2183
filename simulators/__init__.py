"""Models of the facilities and of whole communities, and the programs that play them against real brokers."""
