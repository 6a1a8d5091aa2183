import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState, useSyncExternalStore } from "react";
import { SESSION_KEY } from "../people/session";
import { LiveStream } from "./stream";

const NOTHING = { subscribe: () => () => undefined, getVersion: () => 0 };

/** A live stream for as long as the page is shown; the page is drawn again when something changed. */
export function useLive(filter: "community" | "device", id: string): LiveStream | null {
  const queries = useQueryClient();
  const [stream, setStream] = useState<LiveStream | null>(null);
  useEffect(() => {
    const opened = new LiveStream({ [filter]: id }, () => void queries.invalidateQueries({ queryKey: SESSION_KEY }));
    setStream(opened);
    return () => opened.close();
  }, [filter, id, queries]);
  const store = stream ?? NOTHING;
  useSyncExternalStore(store.subscribe, store.getVersion);
  return stream;
}

/** The server's time, moving on by itself. */
export function useNow(stream: LiveStream | null, everyMs = 5000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return Math.max(now, Date.now() - everyMs) + (stream?.clockOffsetMs ?? 0);
}
