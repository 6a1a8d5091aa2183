"""What gateways hear that no profile reads: listed, adopted, dismissed."""
