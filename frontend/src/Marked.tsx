/** A text with those of its words marked that were asked for, however they are written. */
export function Marked({ text, words = [] }: { text: string; words?: string[] }) {
  const pattern = [...words]
    .sort((one, other) => other.length - one.length) // or the shorter would end the longer
    .map((word) => word.replace(/[^\p{L}\p{N}]/gu, "\\$&"))
    .join("|");
  if (!pattern) return <>{text}</>;
  const parts = text.split(new RegExp(`(${pattern})`, "gi"));
  return <>{parts.map((part, place) => (place % 2 ? <mark key={place}>{part}</mark> : part))}</>;
}
