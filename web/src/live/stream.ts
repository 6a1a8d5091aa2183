import type { Command, MetricState } from "../api/client";

export type Metrics = Record<string, MetricState>;
export type Link = "connecting" | "live" | "lost";
type Listener = () => void;

interface Snapshot {
  now_ms: number;
  devices: { device_id: string; metrics: Metrics }[];
}

/** The server says something at least every 15 s. After this long without a word the link is dead, whatever the socket says. */
export const SILENCE_MS_MAX = 40_000;
const RETRY_MS_MAX = 15_000;

/**
 * The live stream of one community or device. Changes are gathered and told once an animation frame, however many
 * events came. The browser connects again by itself, with Last-Event-ID; where it gives up (a proxy's error page, a link
 * gone silent) this class opens a new stream, which begins with a snapshot.
 */
export class LiveStream {
  link: Link = "connecting";
  /** A snapshot has come: what is not in it is really unknown. */
  ready = false;
  /** The server's clock minus this one's, ms. */
  clockOffsetMs = 0;
  private readonly url: string;
  private readonly devices = new Map<string, Metrics>();
  private readonly commands = new Map<string, Command>();
  private readonly gateways = new Map<string, boolean>();
  private readonly listeners = new Set<Listener>();
  private readonly watchdog: number;
  private source: EventSource | null = null;
  private heardAt = performance.now();
  private retryMs = 1000;
  private retry = 0;
  private pending = false;
  private version = 0;

  /** onRefused: the server took the stream back or refused it; maybe nobody is signed in any more. */
  constructor(
    where: Record<string, string>,
    private readonly onRefused: () => void,
  ) {
    this.url = `/api/v1/live?${new URLSearchParams(where)}`;
    this.open();
    this.watchdog = window.setInterval(() => {
      if (this.source && performance.now() - this.heardAt > SILENCE_MS_MAX) this.reopen();
    }, 5000);
  }

  private open(): void {
    this.heardAt = performance.now();
    this.source = new EventSource(this.url);
    this.source.onerror = () => {
      if (this.source?.readyState === EventSource.CLOSED) {
        this.onRefused();
        this.reopen();
      }
      else this.setLink("lost");
    };
    this.on("snapshot", (snapshot: Snapshot) => {
      this.ready = true;
      this.setClock(snapshot.now_ms);
      this.gateways.clear(); // what happened meanwhile was not told: what the queries say counts again
      for (const device of snapshot.devices) this.devices.set(device.device_id, device.metrics);
    });
    this.on("beat", (beat: { now_ms: number }) => this.setClock(beat.now_ms));
    this.on("state", (state: { device_id: string; metrics: Metrics }) => {
      this.devices.set(state.device_id, { ...this.devices.get(state.device_id), ...state.metrics });
    });
    this.on("command", (command: Command) => this.commands.set(command.id, command));
    this.on("gateway", (gateway: { gateway_id: string; online: boolean }) =>
      this.gateways.set(gateway.gateway_id, gateway.online),
    );
  }

  private reopen(): void {
    this.setLink("lost");
    this.source?.close();
    this.source = null;
    this.retry = window.setTimeout(() => this.open(), this.retryMs * (0.5 + Math.random() / 2));
    this.retryMs = Math.min(RETRY_MS_MAX, this.retryMs * 2);
  }

  private on<T>(kind: string, take: (data: T) => void): void {
    this.source?.addEventListener(kind, (event) => {
      this.heardAt = performance.now();
      this.retryMs = 1000;
      this.setLink("live");
      take(JSON.parse((event as MessageEvent<string>).data) as T);
      this.changed();
    });
  }

  /** Small differences are the way of the packets, and each change would draw every age anew. */
  private setClock(nowMs: number): void {
    const offset = nowMs - Date.now();
    if (Math.abs(offset - this.clockOffsetMs) > 500) this.clockOffsetMs = offset;
  }

  private setLink(link: Link): void {
    if (this.link !== link) {
      this.link = link;
      this.changed();
    }
  }

  private changed(): void {
    if (this.pending) return;
    this.pending = true;
    const tell = () => {
      this.pending = false;
      this.version += 1;
      for (const listener of this.listeners) listener();
    };
    // A hidden page gets no animation frames; a timer then does.
    if (document.hidden) window.setTimeout(tell, 250);
    else requestAnimationFrame(tell);
  }

  subscribe = (listener: Listener): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  getVersion = (): number => this.version;

  metrics(device: string): Metrics | undefined {
    return this.devices.get(device);
  }

  /** The commands to a device that were heard of while the page is shown. */
  commandsOf(device: string): Command[] {
    return [...this.commands.values()].filter((command) => command.device_id === device);
  }

  gatewayOnline(id: string): boolean | undefined {
    return this.gateways.get(id);
  }

  close(): void {
    window.clearInterval(this.watchdog);
    window.clearTimeout(this.retry);
    this.source?.close();
    this.source = null;
    this.listeners.clear();
  }
}
