import { useEffect, useState } from "preact/hooks";

const SHOWN_MS = 2500;

/** A word on what was just done with a photo, which goes by itself; and the way to say it. */
export function useToast(filename: string): [string, (text: string) => void] {
  const [said, setSaid] = useState({ text: "", filename });
  useEffect(() => {
    if (!said.text) return;
    const timer = setTimeout(() => setSaid({ text: "", filename }), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [said]);
  const text = said.filename === filename ? said.text : "";
  return [text, (text) => setSaid({ text, filename })];
}
