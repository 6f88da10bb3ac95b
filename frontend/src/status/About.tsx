import { useState } from "preact/hooks";
import { fileCount, formatLanguages, formatMoment, formatNumber, photoCount } from "../format";
import { FactList, type Fact } from "../FactList";
import { Icon } from "../Icon";
import { texts } from "../texts";
import { EMPTY_QUERY, urlOf } from "../urlState";
import "./About.css";
import { ALL_SKIPPED_URL, retrySkipped, type Status } from "./serverStatus";

export const ABOUT = "about";
const DAMAGED_NAMED = 5;

/** What the photos are found by, and what was left out of them. */
export function About({ status }: { status: Status | null }) {
  return (
    <>
      <button class="round about-button" popovertarget={ABOUT} aria-label={texts.about} title={texts.about}>
        <Icon name="info" />
      </button>
      <div id={ABOUT} popover="auto" class="raised dropdown" role="dialog" aria-label={texts.about}>
        <h2>{texts.name}</h2>
        {status ? <Facts {...status} /> : <p>{texts.waitingForServer}</p>}
        {status?.words?.trouble && <p>{status.words.trouble}</p>}
        <p>
          <a class="chip small" href={urlOf({ ...EMPTY_QUERY, duplicates: true })}>
            {texts.showDuplicates}
          </a>
        </p>
        {status && leftOutLabel(status) && <LeftOut {...status} />}
        {status && status.raw_beside > 0 && (
          <p>{texts.rawBeside(formatNumber(status.raw_beside), status.raw_beside)}</p>
        )}
      </div>
    </>
  );
}

function Facts({ indexed, model, languages, words, device, store, last_change }: Status) {
  const facts: Fact[] = [
    [texts.photosLabel, formatNumber(indexed)],
    [texts.model, model],
    [texts.reads, languages && formatLanguages(languages)],
    [
      texts.wordsRead,
      words &&
        texts.countOf(formatNumber(words.read), photoCount(words.photos)) +
          (words.languages ? ` (${formatLanguages(words.languages)})` : ""),
    ],
    [texts.device, device],
    [texts.store, store],
    [texts.lastChange, last_change && formatMoment(last_change)],
  ];
  return <FactList facts={facts} />;
}

const sum = (counts: Record<string, number>) => Object.values(counts).reduce((a, b) => a + b, 0);

/** What there is to tell beside the photos that are indexed whole; empty if there is nothing. */
export function leftOutLabel({ skipped, not_read, damaged }: Status): string {
  const leftOut = skipped + sum(not_read);
  return [
    leftOut > 0 && texts.couldNotBeRead(fileCount(leftOut)),
    damaged > 0 && texts.damagedCount(formatNumber(damaged)),
  ]
    .filter(Boolean)
    .join(", ");
}

function LeftOut(status: Status) {
  const { skipped, skipped_photos, not_read, damaged, damaged_photos } = status;
  const others = skipped - skipped_photos.length;
  const unread = sum(not_read);
  const kinds = Object.entries(not_read).map(([ending, count]) => `${formatNumber(count)} ${ending}`);
  const named = damaged_photos.slice(0, DAMAGED_NAMED).join(", ");
  const more = damaged > DAMAGED_NAMED ? ", …" : "";
  return (
    <section aria-label={texts.photosLeftOut}>
      <h3>{leftOutLabel(status)}</h3>
      {skipped > 0 && (
        <ul role="list" tabIndex={0} aria-label={texts.photosLeftOut}>
          {skipped_photos.map(({ filename, reason }) => (
            <li key={filename}>
              <b>{filename}</b>
              {reason}
            </li>
          ))}
        </ul>
      )}
      {others > 0 && (
        <p>
          <a href={ALL_SKIPPED_URL}>{texts.andMore(photoCount(others))}</a>
        </p>
      )}
      {unread > 0 && <p>{texts.kindsNotRead(fileCount(unread), kinds.join(", "))}</p>}
      {damaged > 0 && <p>{texts.damagedAre(photoCount(damaged), damaged, named + more)}</p>}
      {skipped > 0 && <TryAgain />}
    </section>
  );
}

/** Has them looked at again: a mended disk, or more memory, may make them readable. */
function TryAgain() {
  const [answer, setAnswer] = useState("");
  const ask = async () => setAnswer(await retrySkipped());
  return (
    <p class="retry">
      <button class="chip" onClick={ask}>
        {texts.tryThemAgain}
      </button>
      <span role="status">{answer}</span>
    </p>
  );
}
