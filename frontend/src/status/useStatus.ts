import { useEffect, useRef, useState } from "preact/hooks";
import { followStatus } from "./followStatus";
import type { Status } from "./serverStatus";

/**
 * The status of the server; the version of its index, which is another one after each change; and
 * how often the server came back after it had been away.
 */
export function useStatus() {
  const [status, setStatus] = useState<Status | null>(null);
  const [recovered, setRecovered] = useState(0);
  const isAway = useRef(false);

  useEffect(
    () =>
      followStatus((now) => {
        if (now && isAway.current) setRecovered((times) => times + 1);
        isAway.current = !now;
        setStatus(now);
      }),
    [],
  );
  return { status, version: status && `${status.indexed} ${status.last_change}`, recovered };
}
