/** How the page writes numbers, dates, names and queries. */

import type { Details } from "./api";
import type { Query } from "./urlState";

export const formatNumber = (value: number) => value.toLocaleString("en");

export const formatCount = (count: number, noun: string) =>
  `${formatNumber(count)} ${count === 1 ? noun : `${noun}s`}`;

export const photoCount = (count: number) => formatCount(count, "photo");

export const nameOf = (filename: string) => filename.slice(filename.lastIndexOf("/") + 1);

export const folderOf = (filename: string) =>
  filename.slice(0, Math.max(0, filename.lastIndexOf("/")));

const DATE = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric" });

export function formatDate(iso: string): string {
  const date = new Date(iso.length === 10 ? `${iso}T00:00` : iso); // else it is taken for UTC
  return Number.isNaN(date.getTime()) ? iso : DATE.format(date); // addresses can say anything
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

export function formatTimeToGo(seconds: number): string {
  if (seconds < 45) return "less than a minute to go";
  if (seconds < 90) return "about a minute to go";
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min to go`;
  return `about ${Math.round(seconds / 3600)} h to go`;
}

/** The query as a phrase: for “dog”, like cat.png, without “grass”. */
export function formatQuery({ q, like, image, minus }: Query): string {
  const parts = [
    q && `for “${q}”`,
    like && `like ${nameOf(like)}`,
    image && "like your photo",
    minus.length > 0 && `without ${minus.map((term) => `“${term}”`).join(", ")}`,
  ];
  return parts.filter(Boolean).join(", ");
}
