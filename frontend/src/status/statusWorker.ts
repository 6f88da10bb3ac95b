/** Holds one connection to the server's events, for every window of the page that is seen. */

import { followEvents } from "./followEvents";
import type { Status } from "./serverStatus";

/** A window wants to be told, or no longer does. */
export type ToWorker = "follow" | "leave";

/** The status; null while the server is away. */
export type FromWorker = Status | null;

const windows = new Set<MessagePort>();
let last: FromWorker | undefined; // nothing was told yet
let end: (() => void) | null = null;

function tellAll(status: FromWorker) {
  last = status;
  for (const port of windows) port.postMessage(status);
}

function follow(port: MessagePort) {
  windows.add(port);
  if (last !== undefined) port.postMessage(last);
  end ??= followEvents(tellAll);
}

function leave(port: MessagePort) {
  windows.delete(port);
  if (windows.size > 0) return;
  end?.();
  end = null;
  last = undefined; // it would be old when the next window comes
}

addEventListener("connect", (event) => {
  const [port] = (event as MessageEvent).ports;
  port!.onmessage = ({ data }: MessageEvent<ToWorker>) =>
    data === "follow" ? follow(port!) : leave(port!);
});
