import type { Photo } from "../api";
import { addDays } from "../box/days";
import {
  folderOf,
  formatBytes,
  formatExposure,
  formatNumber,
  formatPixels,
  formatTaken,
} from "../format";
import { FactList, type Fact } from "../FactList";
import { Icon } from "../Icon";
import { texts } from "../texts";
import { EMPTY_QUERY, urlOf, type Query } from "../urlState";

type Props = { photo: Photo; onAsk: (asked: Partial<Query>) => void };

/** A page of OpenStreetMap, with a sign there: nothing of it is loaded before one goes there. */
function mapUrl({ lat, lon }: { lat: number; lon: number }): string {
  return `https://www.openstreetmap.org/?mlat=${lat}&mlon=${lon}#map=15/${lat}/${lon}`;
}

/** All photos of the day that a time is of. */
function sameDay(taken: string): Partial<Query> {
  const after = taken.slice(0, 10);
  return { after, before: addDays(after, 1) };
}

function sizeOf({ width, height, file_bytes }: Photo): string {
  const mega = (width * height) / 1e6;
  const rounded = mega < 10 ? Math.round(mega * 10) / 10 : Math.round(mega);
  const parts = [
    formatPixels(width, height),
    mega >= 0.1 && texts.megapixels(formatNumber(rounded)),
    file_bytes && formatBytes(file_bytes),
  ];
  return parts.filter(Boolean).join(" · ");
}

/** What is known of a photo; what can be searched for is a link that does. */
export function Facts({ photo, onAsk }: Props) {
  const { filename, taken, taken_from, score, details = {}, why, matches } = photo;
  const { camera, lens, place, altitude, rating, title, description, keywords } = details;
  const folder = folderOf(filename);

  function searchFor(asked: Partial<Query>, text: string) {
    const follow = (event: MouseEvent) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab or window of its own
      event.preventDefault();
      onAsk(asked);
    };
    return (
      <a href={urlOf({ ...EMPTY_QUERY, ...asked })} onClick={follow}>
        {text}
      </a>
    );
  }

  const nearby = place && { near: `${place.lat},${place.lon},1` };
  const facts: Fact[] = [
    [texts.title, title && searchFor({ q: title }, title)],
    [texts.file, photo.damaged && texts.damaged],
    [texts.folder, folder && searchFor({ folder }, folder)],
    [
      taken_from === "file" ? texts.modified : texts.taken,
      taken && searchFor(sameDay(taken), formatTaken(taken)),
    ],
    [texts.size, sizeOf(photo)],
    [texts.camera, camera && searchFor({ camera }, camera)],
    [texts.lens, lens],
    [texts.exposure, formatExposure(details)],
    [
      texts.place,
      place && (
        <>
          {searchFor(nearby!, `${place.lat.toFixed(4)}, ${place.lon.toFixed(4)}`)}
          <a
            class="round map"
            href={mapUrl(place)}
            target="_blank"
            rel="noreferrer"
            aria-label={texts.showOnMap}
            title={texts.showOnMap}
          >
            <Icon name="place" />
          </a>
        </>
      ),
    ],
    [texts.altitude, altitude !== undefined && `${formatNumber(Math.round(altitude))} m`],
    [texts.rating, rating && (rating < 0 ? texts.rejected : texts.ratingOf(rating))],
    [
      texts.found,
      why
        ?.filter((way) => matches?.[way])
        .map((way) => `${texts.foundBy[way]}: ${matches![way]!.join(" ")}`)
        .join("; "),
    ],
    [texts.score, score !== null && score.toFixed(3)],
    [
      texts.keywords,
      keywords && (
        <ul class="words" role="list">
          {keywords.map((word) => (
            <li key={word}>{searchFor({ q: word }, word)}</li>
          ))}
        </ul>
      ),
    ],
    [texts.description, description],
  ];
  return <FactList facts={facts} />;
}
