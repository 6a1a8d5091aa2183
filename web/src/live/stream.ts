import type { Command, MetricState } from "../api/client";

export type Metrics = Record<string, MetricState>;
type Listener = () => void;

interface Snapshot {
  now_ms: number;
  devices: { device_id: string; metrics: Metrics }[];
}

/**
 * The live stream of one community or device. Changes are gathered and told once an animation frame, however many
 * events came. The browser connects again by itself, with Last-Event-ID.
 */
export class LiveStream {
  connected = false;
  /** The server's clock minus this one's, ms. */
  clockOffsetMs = 0;
  private readonly devices = new Map<string, Metrics>();
  private readonly commands = new Map<string, Command>();
  private readonly gateways = new Map<string, boolean>();
  private readonly listeners = new Set<Listener>();
  private readonly source: EventSource;
  private frame = 0;
  private version = 0;

  constructor(where: Record<string, string>) {
    this.source = new EventSource(`/api/v1/live?${new URLSearchParams(where)}`);
    this.source.onopen = () => this.setConnected(true);
    this.source.onerror = () => this.setConnected(false);
    this.on("snapshot", (snapshot: Snapshot) => {
      this.clockOffsetMs = snapshot.now_ms - Date.now();
      for (const device of snapshot.devices) this.devices.set(device.device_id, device.metrics);
    });
    this.on("state", (state: { device_id: string; metrics: Metrics }) => {
      this.devices.set(state.device_id, { ...this.devices.get(state.device_id), ...state.metrics });
    });
    this.on("command", (command: Command) => this.commands.set(command.id, command));
    this.on("gateway", (gateway: { gateway_id: string; online: boolean }) =>
      this.gateways.set(gateway.gateway_id, gateway.online),
    );
  }

  private on<T>(kind: string, take: (data: T) => void): void {
    this.source.addEventListener(kind, (event) => {
      this.setConnected(true);
      take(JSON.parse((event as MessageEvent<string>).data) as T);
      this.changed();
    });
  }

  private setConnected(connected: boolean): void {
    if (this.connected !== connected) {
      this.connected = connected;
      this.changed();
    }
  }

  private changed(): void {
    if (this.frame) return;
    // A hidden page gets no animation frames; a timer then does.
    const tell = () => {
      this.frame = 0;
      this.version += 1;
      for (const listener of this.listeners) listener();
    };
    this.frame = document.hidden ? window.setTimeout(tell, 250) : requestAnimationFrame(tell);
  }

  subscribe = (listener: Listener): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  getVersion = (): number => this.version;

  metrics(device: string): Metrics | undefined {
    return this.devices.get(device);
  }

  command(id: string): Command | undefined {
    return this.commands.get(id);
  }

  gatewayOnline(id: string): boolean | undefined {
    return this.gateways.get(id);
  }

  close(): void {
    this.source.close();
    this.listeners.clear();
  }
}
