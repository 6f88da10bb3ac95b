import { useRef } from "preact/hooks";
import { formatLanguages } from "../format";
import { language, texts } from "../texts";
import type { Query } from "../urlState";
import type { SearchState } from "../useSearch";
import "./Hints.css";

type Props = {
  state: SearchState;
  query: Query;
  /** Of the model; null if it reads many, or that is not known. */
  languages: string[] | null;
};

const FOREIGN = /(?!\p{Script=Latin})\p{L}/u; // a letter, of another script

/** Whether the words may not have been understood, as far as that can be seen. */
function isForeign({ state, query, languages }: Props): boolean {
  if (state.kind !== "found" || !query.q || !languages || languages.includes("zh")) return false;
  const isByMeaning = state.photos.every(({ why }) => (why?.[0] ?? "meaning") === "meaning");
  if (!isByMeaning) return false; // words and names are found in any language
  return FOREIGN.test(query.q) || (!languages.includes(language) && state.overview.fits === false);
}

/** What to know of an answer beside its photos: each is told once in a visit, for one query. */
export function Hints(props: Props) {
  const { state, query, languages } = props;
  const told = useRef("");
  if (isForeign(props)) told.current ||= query.q;
  const unread = state.kind === "found" && state.overview.unread;
  const hints = [
    isForeign(props) &&
      told.current === query.q &&
      texts.modelReads(formatLanguages(languages!)),
    unread && texts.notRead(unread),
  ].filter(Boolean);
  return (
    <>
      {hints.map((hint) => (
        <p key={hint} class="hint" role="note">
          {hint}
        </p>
      ))}
    </>
  );
}
