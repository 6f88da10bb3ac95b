import { thumbUrl, type Photo } from "../api";
import { formatDate, nameOf } from "../format";
import { Marked } from "../Marked";
import { texts } from "../texts";
import { urlOf, type Query } from "../urlState";
import { Compared } from "./Compared";
import { ratioOf } from "./layout";
import { holdPlace, noteFailure, showImage } from "./placeholder";
import "./Tile.css";
import "./TileButtons.css";
import { Why } from "./Why";

const SIZES = [256, 512, 1024] as const;

/**
 * Let the browser take the smallest file that is sharp; a size is that of the longer side. The
 * order counts: the image is lazy before it gets these, and `src` is the last. Else a browser may
 * choose before the image has a width, when `auto` stands for that of the window: the largest file.
 */
function sourcesOf(photo: Photo, height: number) {
  const ratio = photo.width / photo.height || 1.5;
  const width = (size: number) => Math.ceil(size * Math.min(1, ratio)); // 0 would be none
  return {
    sizes: `auto, ${Math.round(ratioOf(photo) * height)}px`,
    srcset: SIZES.map((size) => `${thumbUrl(photo, size)} ${width(size)}w`).join(", "),
    src: thumbUrl(photo, 512),
  };
}

type Props = {
  photo: Photo;
  query: Query;
  /** Of its row, in px. */
  height: number;
  /** Whether it is one of the photos that are nearly the same as another, and shown beside it. */
  isSimilar: boolean;
  isUnfolded: boolean;
  byTime: boolean;
};

/** What a click on it does, when the Tab key stops there, and whether it is selected: see Grid. */
export function Tile({ photo, query, height, isSimilar, isUnfolded, byTime }: Props) {
  const { filename, width, taken, thumbhash, similar = [] } = photo;
  const name = nameOf(filename);
  const label = texts.similarPhotos(similar.length);
  return (
    <div
      class={isSimilar || isUnfolded ? "photo of-group" : "photo"}
      role="listitem"
      data-photo={filename}
      style={{ flexGrow: ratioOf(photo) }}
    >
      <a href={urlOf(query, filename)} tabIndex={-1}>
        <img
          ref={(image) => holdPlace(image, thumbhash)}
          loading="lazy"
          decoding="async"
          width={width}
          height={photo.height}
          alt={name}
          onLoad={showImage}
          onError={noteFailure}
          {...sourcesOf(photo, height)}
        />
        <Why photo={photo} />
        <span class="caption" aria-hidden={!query.duplicates}>
          <span aria-hidden="true">
            <Marked text={name} words={photo.matches?.name} />
          </span>
          {byTime && taken && <span>{formatDate(taken)}</span>}
          {query.duplicates && <Compared photo={photo} />}
        </span>
      </a>
      <button
        class="round select"
        role="checkbox"
        aria-checked="false"
        aria-label={texts.selectPhoto(name)}
        tabIndex={-1}
      />
      {similar.length > 0 && (
        <button
          class="fold"
          aria-expanded={isUnfolded}
          aria-label={label}
          title={isUnfolded ? texts.foldSimilar : label}
          tabIndex={-1}
        >
          {isUnfolded ? "−" : `+${similar.length}`}
        </button>
      )}
      <button
        class="round like"
        aria-label={texts.moreLike(name)}
        title={texts.moreLikeThis}
        tabIndex={-1}
      />
    </div>
  );
}
