import { useEffect, useRef, useState } from "preact/hooks";
import type { Photo } from "../api";
import { fetchRecord, isProblem, whyNoPicture, type Problem } from "./photoRecord";

const RETRY_MS = 2000;
const TURN_MS = 150; // whoever turns on at once wants no record

export type Known = {
  record: Photo | null;
  problem: Problem | null;
  /** Its picture did not come. */
  fail: () => void;
  /** Counts up when it is worth trying once more. */
  attempt: number;
};

/**
 * The record of the open photo, soon if something `isKnown` of it already, and else at once. It
 * is asked for once more when its picture fails or the index has another `version`. And what is
 * wrong with it: what passes by itself is waited for.
 */
export function usePhoto(filename: string, version: string | null, isKnown: boolean): Known {
  const [record, setRecord] = useState<Photo | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [failures, setFailures] = useState(0);
  const [attempt, setAttempt] = useState(0);
  const [of, setOf] = useState(filename);
  // The first that is told is the one that everything shown is of.
  const first = useRef<string | null>(null);
  first.current ??= version;
  const news = version === first.current ? null : version;

  if (of !== filename) {
    setOf(filename);
    setRecord(null);
    setProblem(null);
    setFailures(0);
  }

  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    let timer: number;

    async function look() {
      const answer = await fetchRecord(filename, signal);
      let wrong = isProblem(answer) ? answer : null;
      if (!isProblem(answer) && failures) wrong = await whyNoPicture(answer, signal);
      if (signal.aborted) return;
      if (!isProblem(answer)) setRecord(answer);
      setProblem(wrong);
      if (!wrong && failures) {
        setFailures(0);
        setAttempt((number) => number + 1);
      }
      if (wrong?.kind === "away" || wrong?.kind === "waiting") timer = setTimeout(look, RETRY_MS);
    }

    timer = setTimeout(look, isKnown && !failures ? TURN_MS : 0);
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [filename, news, failures]);

  const isCurrent = of === filename;
  return {
    record: isCurrent ? record : null,
    problem: isCurrent ? problem : null,
    fail: () => setFailures((number) => number + 1),
    attempt,
  };
}
