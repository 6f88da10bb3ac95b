import { followEvents, type Tell } from "./followEvents";
import type { FromWorker, ToWorker } from "./statusWorker";

/**
 * Follow the server's events by the one connection that all windows of the page share: a browser
 * has six for all of them together. Returns what ends it.
 */
function followTogether(tell: Tell): () => void {
  // Written out here, or Vite would not know it for a worker.
  const worker = new SharedWorker(new URL("./statusWorker.ts", import.meta.url), {
    type: "module",
    name: "status",
  });
  const { port } = worker;
  const say = (word: ToWorker) => port.postMessage(word);
  let end = () => {
    say("leave");
    port.close();
  };
  worker.onerror = () => (end = followEvents(tell)); // it could not be loaded
  port.onmessage = ({ data }: MessageEvent<FromWorker>) => tell(data);
  say("follow");
  return () => end();
}

/** Hand on the server's status now and at each change, while this window is seen. */
export function followStatus(tell: Tell): () => void {
  const follow = "SharedWorker" in window ? followTogether : followEvents;
  let end: (() => void) | null = null;

  function change(event?: Event) {
    end?.();
    end = document.hidden || event?.type === "pagehide" ? null : follow(tell);
  }

  change();
  const listening = new AbortController();
  const { signal } = listening;
  document.addEventListener("visibilitychange", change, { signal });
  addEventListener("pagehide", change, { signal });
  addEventListener("pageshow", (event) => event.persisted && change(event), { signal });
  return () => {
    listening.abort();
    end?.();
  };
}
