import type { Overview, Photo } from "../api";
import type { Density } from "../grid/density";
import { Grid } from "../grid/Grid";
import { Icon } from "../Icon";
import { texts } from "../texts";
import { EMPTY_QUERY, urlOf, type Query } from "../urlState";
import { spanOf } from "./days";
import "./Named.css";

type Props = {
  overview: Overview;
  /** The first of what was found by what it shows. */
  best: Photo[];
  query: Query;
  onQuery: (query: Query) => void;
  onAsk: (query: Query) => void;
  onOpen: (filename: string) => void;
  onLike: (filename: string) => void;
  density: Density;
  recovered: number;
};

const NO_COUNTS = new Map<string, number>();

/** Folders that are called what was typed, and photos where they are not the first results. */
export function Named(props: Props) {
  const { overview, best, query, onQuery, onAsk, onOpen, onLike, density, recovered } = props;
  const { named, namedFolders, fits } = overview;
  const span = spanOf(query.q);
  const isBest = ({ filename }: Photo) => best.some((photo) => photo.filename === filename);
  // Nobody needs a row of what comes first anyway.
  const isSeen = named.length === 0 || (fits !== false && named.every(isBest));
  const chips = [
    ...namedFolders.map((folder) => ({ text: folder, icon: "folder" as const, to: { folder } })),
    ...(span ? [{ text: texts.takenIn(query.q), icon: "calendar" as const, to: span }] : []),
  ];
  if (chips.length === 0 && isSeen) return null;
  return (
    <section class="named" aria-labelledby="named">
      <h2 id="named">{texts.namedLikeThis}</h2>
      {chips.length > 0 && (
        <ul class="chips" role="list" aria-label={texts.foldersNamedSo}>
          {chips.map(({ text, icon, to }) => {
            const there = { ...EMPTY_QUERY, ...to };
            return (
              <li key={text}>
                <a
                  class="chip"
                  href={urlOf(there)}
                  onClick={(event) => (event.preventDefault(), onQuery(there))}
                >
                  <Icon name={icon} />
                  {text}
                </a>
              </li>
            );
          })}
        </ul>
      )}
      {!isSeen && (
        <Grid
          photos={named}
          query={query}
          label={texts.photosNamedSo}
          isOneRow
          isComplete
          byTime={false}
          counts={NO_COUNTS}
          density={{ ...density, level: Math.max(0, density.level - 1) }}
          margin={0}
          recovered={recovered}
          onOpen={onOpen}
          onLike={onLike}
          onAsk={onAsk}
        />
      )}
      {!isSeen && <h2>{texts.byWhatTheyShow}</h2>}
    </section>
  );
}
