import type { Photo } from "../api";
import { formatMonth, formatNumber, photoCount } from "../format";
import { texts } from "../texts";

type Props = {
  /** Such as 2024-05; empty for photos that are nearly the same. */
  month: string;
  /** How many photos there are in it, as far as that is known. */
  count: number | undefined;
  photos: Photo[];
};

/** What stands above some photos: their month, or how many there are of one. */
export function Heading({ month, count, photos }: Props) {
  if (month)
    return (
      <h2 class="month">
        {formatMonth(month)}
        {count !== undefined && <span>{photoCount(count)}</span>}
      </h2>
    );
  const [first] = photos;
  const size = first!.group!.size;
  const isOneFile = photos.every(({ version }) => version === first!.version);
  const name = isOneFile ? texts.sameFile : texts.nearlySame;
  return (
    <h2 class="month">
      {name(formatNumber(size))}
      {size > photos.length && <span>{texts.firstOf(photoCount(photos.length))}</span>}
    </h2>
  );
}
