"""The central system for charge points (OCPP 1.6J and 2.0.1). ``central`` is imported only where LINLI_OCPP_PORT is set."""
