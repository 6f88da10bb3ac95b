/** How the page writes numbers, dates, names and queries. */

import type { Details } from "./api";
import { locale, texts } from "./texts";
import type { Query } from "./urlState";

/** What can be chosen to look in; the words on a photo and those that describe it are one. */
export const WAYS = ["meaning", "name", "text"] as const;

export const formatNumber = (value: number) => value.toLocaleString(locale);

export const photoCount = (count: number) => texts.photos(formatNumber(count), count);

export const fileCount = (count: number) => texts.files(formatNumber(count), count);

export const indexedSoFar = ({ indexed, photos }: { indexed: number; photos: number }) =>
  texts.indexedOf(formatNumber(indexed), photoCount(photos));

/** How far the reading of words is: as numbers, it may go on for long. */
export const readSoFar = ({ read, photos }: { read: number; photos: number }) =>
  texts.readingWords(formatNumber(read), formatNumber(photos));

export const nameOf = (filename: string) => filename.slice(filename.lastIndexOf("/") + 1);

export const folderOf = (filename: string) =>
  filename.slice(0, Math.max(0, filename.lastIndexOf("/")));

const DATE = new Intl.DateTimeFormat(locale, { dateStyle: "long" });
const MOMENT = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });

export function formatDate(iso: string): string {
  const date = new Date(iso.length === 10 ? `${iso}T00:00` : iso); // else it is taken for UTC
  return Number.isNaN(date.getTime()) ? iso : DATE.format(date); // addresses can say anything
}

export const formatMoment = (iso: string) => MOMENT.format(new Date(iso));

const MONTH = new Intl.DateTimeFormat(locale, { month: "long", year: "numeric" });

/** May 2024, of 2024-05. */
export const formatMonth = (month: string) => MONTH.format(new Date(`${month}-01T00:00`));

/** The month that follows, such as 2024-06 after 2024-05. */
export function monthAfter(month: string): string {
  const [year, number] = month.split("-").map(Number) as [number, number];
  return number === 12 ? `${year + 1}-01` : `${year}-${String(number + 1).padStart(2, "0")}`;
}

const SHOT = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "short" });

/** When a photo was taken, by the clock of its camera. */
export const formatTaken = (iso: string) => SHOT.format(new Date(iso));

export const formatPixels = (width: number, height: number) =>
  `${formatNumber(width)} × ${formatNumber(height)}`;

/** 640 kB, 4.2 MB: in the units that files have everywhere. */
export function formatBytes(bytes: number): string {
  const [size, unit] = bytes < 999_500 ? [bytes / 1e3, "kilobyte"] : [bytes / 1e6, "megabyte"];
  const digits = size < 10 ? 1 : 0;
  const options = { style: "unit", unit, maximumFractionDigits: digits } as const;
  return size.toLocaleString(locale, options);
}

/** Latitude, longitude and kilometres, as an address has them. */
export function formatNear(near: string): string {
  const [lat, lon, km] = near.split(",");
  return km ? `${lat}, ${lon} (${km} km)` : near;
}

/** How a photo was exposed: 1/250 s, f/2.8, ISO 200, 50 mm. */
export function formatExposure({ exposure, aperture, iso, focal_length }: Details): string {
  const seconds = exposure && (exposure < 0.3 ? `1/${Math.round(1 / exposure)}` : exposure);
  const parts = [
    seconds && `${seconds} s`,
    aperture && `f/${aperture}`,
    iso && `ISO ${iso}`,
    focal_length && `${focal_length} mm`,
  ];
  return parts.filter(Boolean).join(", ");
}

/** Rounded up, from five minutes on to whole fives: an estimate is no promise. */
export function formatTimeToGo(seconds: number): string {
  const minutes = Math.ceil(seconds / 60);
  if (seconds < 45) return texts.lessThanAMinute;
  if (minutes < 2) return texts.aboutAMinute;
  if (minutes < 5) return texts.minutesToGo(formatNumber(minutes));
  if (minutes < 90) return texts.minutesToGo(formatNumber(5 * Math.ceil(minutes / 5)));
  return texts.hoursToGo(formatNumber(Math.ceil(minutes / 60)));
}

/** The name of a photo, or how many there are. */
export const formatNames = (filenames: string[]) =>
  filenames.length === 1 ? nameOf(filenames[0]!) : photoCount(filenames.length);

const LANGUAGES = new Intl.DisplayNames(locale, { type: "language" });

/** English and German, of en and de; what is no language's code stays as it is. */
export const formatLanguages = (codes: string[]) =>
  LIST.format(codes.map((code) => (/^[a-z]{2,3}(-\w+)*$/i.test(code) ? LANGUAGES.of(code)! : code)));

const LIST = new Intl.ListFormat(locale);

/** What is looked in, of all that may be: Names and Words. */
export const formatScope = (scope: string) =>
  LIST.format(WAYS.filter((way) => scope.includes(way)).map((way) => texts.ways[way]));

/** The query as a phrase: for “dog”, like cat.png, without “grass”, without 3 photos. */
export function formatQuery({ q, like, unlike, image, minus }: Query): string {
  const parts = [
    q && texts.forWords(q),
    like.length > 0 && texts.likeName(formatNames(like)),
    image && texts.likeYourPhoto,
    minus.length > 0 && texts.without(minus),
    unlike.length > 0 && texts.withoutName(formatNames(unlike)),
  ];
  return parts.filter(Boolean).join(", ");
}
