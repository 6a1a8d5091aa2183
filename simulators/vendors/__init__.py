"""How the simulated devices' makers write: real topics, real payloads, real command topics. One entry a model."""

from collections.abc import Mapping

from simulators.vendors import everest, lorawan, open_payload, openevse, wifi, zigbee
from simulators.vendors.message import Message, Order, Says, Stamp, Vendor

VENDORS: Mapping[str, Vendor] = {
    "nwave-nps": Vendor(lorawan.nwave),
    "linli-barrier": Vendor(open_payload.barrier, open_payload.barrier_topics, open_payload.order),
    "openevse": Vendor(openevse.encode, openevse.command_topics, openevse.order),
    "everest": Vendor(everest.encode, everest.command_topics, everest.order),
    "milesight-em400": Vendor(lorawan.em400),
    "dingtek-df702": Vendor(lorawan.df702),
    "linli-compactor": Vendor(open_payload.compactor, open_payload.compactor_topics, open_payload.order),
    "milesight-am319": Vendor(lorawan.am319),
    "elsys-ers2": Vendor(lorawan.ers2),
    "tasmota-pow": Vendor(wifi.tasmota),
    "shelly-plug": Vendor(wifi.shelly, wifi.shelly_topics, wifi.shelly_order),
    "zigbee-leak": Vendor(zigbee.leak),
    "zigbee-smoke": Vendor(zigbee.smoke),
    "linli-thermostat": Vendor(open_payload.thermostat, open_payload.thermostat_topics, open_payload.order),
    "linli-valve": Vendor(open_payload.valve, open_payload.valve_topics, open_payload.order),
}

__all__ = ["VENDORS", "Message", "Order", "Says", "Stamp", "Vendor"]
