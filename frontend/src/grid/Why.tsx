import type { Photo } from "../api";
import { nameOf } from "../format";
import { Icon } from "../Icon";
import { Marked } from "../Marked";
import { texts } from "../texts";
import "./Why.css";

/** Why a photo was found, where that is not by what it shows alone: one quiet line on it. */
export function Why({ photo }: { photo: Photo }) {
  const { why, matches, filename } = photo;
  const way = why?.find((one) => one !== "meaning");
  const words = (way && matches?.[way]) ?? [];
  if (!way || words.length === 0) return null;
  // What is not in its own name is in those of its folders.
  const name = nameOf(filename).toLowerCase();
  const shown = words.some((word) => name.includes(word)) ? nameOf(filename) : filename;
  return (
    <span class="why text">
      <span class="unseen">{texts.foundBy[way]}: </span>
      {way !== "name" && <Icon name={way === "text" ? "words" : "info"} />}
      {way === "name" ? <Marked text={shown} words={words} /> : words.join(" ")}
    </span>
  );
}
