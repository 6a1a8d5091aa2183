/** The most telling metrics, first to last: what a card shows, what a page lists first, what a plot begins with. */
export const TELLING = [
  "spot_status", "barrier_state", "vehicle_present", "connector_status", "water_leak", "smoke_alarm", "fire_alarm", "valve_open",
  "fill_level", "compactor_state", "fill_distance", "temperature", "setpoint_temperature", "co2", "humidity", "relay_on",
  "power_active_import", "current_import", "session_energy", "water_flow",
] as const;

const PLACE = new Map<string, number>(TELLING.map((name, at) => [name, at]));

/** Metrics as people look for them: the telling ones first, the others by name. */
export function inOrder(names: readonly string[]): string[] {
  const place = (name: string) => PLACE.get(name) ?? TELLING.length;
  return [...names].sort((a, b) => place(a) - place(b) || a.localeCompare(b));
}
