"""How gateways get their certificates, and lose them."""
