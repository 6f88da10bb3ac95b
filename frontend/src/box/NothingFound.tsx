import type { Overview } from "../api";
import { formatDate, formatNames, formatScope } from "../format";
import { Notice } from "../status/Notices";
import { texts } from "../texts";
import { countFilters, NO_FILTERS, type Query } from "../urlState";
import { lastDayBefore } from "./days";

/** What there are no photos in, and of: Holiday, from 1 May to 3 May. */
function limits(query: Query): string {
  const { folder, after, before, near, camera, scope, like, unlike } = query;
  const until = lastDayBefore(before);
  const parts = [
    folder && texts.inFolder(folder),
    after && texts.fromDay(formatDate(after)),
    before && texts.untilDay(formatDate(until || before)),
    near && texts.nearThisPlace,
    camera && texts.takenWith(camera),
    scope && texts.lookedIn(formatScope(scope)),
    like.length > 0 && texts.likeName(formatNames(like)),
    unlike.length > 0 && texts.withoutName(formatNames(unlike)),
  ];
  return parts.filter(Boolean).join(", ");
}

type Props = { overview: Overview; query: Query; onQuery: (query: Query) => void };

/** Nothing with these filters; a folder that is not there at all is told from an empty one. */
export function NothingFound({ overview, query, onQuery }: Props) {
  const { similarFolders } = overview;
  const clear = () => onQuery({ ...query, ...NO_FILTERS, unlike: [] });
  const isUnknown = similarFolders !== null;
  return (
    <Notice
      icon={isUnknown ? "folder" : "filters"}
      title={isUnknown ? texts.noSuchFolder(query.folder) : texts.noPhotosIn(limits(query))}
    >
      {isUnknown && similarFolders.length > 0 && (
        <>
          <p>{texts.didYouMean}</p>
          <ul class="chips" role="list">
            {similarFolders.map((folder) => (
              <li key={folder}>
                <button class="chip" onClick={() => onQuery({ ...query, folder })}>
                  {folder}
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
      {(countFilters(query) > 0 || query.unlike.length > 0) && (
        <button class="strong" onClick={clear}>
          {texts.clearFilters}
        </button>
      )}
    </Notice>
  );
}
