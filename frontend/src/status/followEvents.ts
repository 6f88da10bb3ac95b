import { ROOT } from "../root";
import type { Status } from "./serverStatus";

/** Told of the status at each change; null while the server is away. */
export type Tell = (status: Status | null) => void;

const RECONNECT_MS = 3000;

/** Follow the server's events by a connection of one's own; returns what ends it. */
export function followEvents(tell: Tell): () => void {
  let timer: ReturnType<typeof setTimeout>;
  let events: EventSource;
  let failures = 0; // in a row: one is a connection that ended, and is made anew at once

  function connect() {
    events = new EventSource(`${ROOT}status/events`);
    events.onopen = () => (failures = 0);
    events.onmessage = ({ data }) => tell(JSON.parse(data));
    events.onerror = () => {
      failures += 1;
      if (failures > 1) tell(null);
      // A lost connection is made anew by the browser, a refused one is not.
      if (events.readyState === EventSource.CLOSED) timer = setTimeout(connect, RECONNECT_MS);
    };
  }

  connect();
  return () => {
    clearTimeout(timer);
    events.close();
  };
}
