import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { originalUrl, thumbUrl, type Photo } from "../api";
import { folderOf, formatDate, formatExposure, formatNumber, nameOf } from "../format";
import { Icon } from "../Icon";
import { texts } from "../texts";
import { EMPTY_QUERY, urlOf } from "../urlState";
import "./Lightbox.css";

type Props = {
  filename: string;
  /** What is known of it: nothing, if it is not among the photos that are shown. */
  photo: Photo | undefined;
  previous: Photo | undefined;
  next: Photo | undefined;
  onTurn: (filename: string) => void;
  onLike: (filename: string) => void;
  onCamera: (camera: string) => void;
  onClose: () => void;
};

const SWIPE = 48; // px

/** A page of OpenStreetMap, with a sign there. */
function mapUrl({ lat, lon }: { lat: number; lon: number }): string {
  return `https://www.openstreetmap.org/?mlat=${lat}&mlon=${lon}#map=15/${lat}/${lon}`;
}

type FactsProps = { photo: Photo; onCamera: (camera: string) => void };

function Facts({ photo, onCamera }: FactsProps) {
  const { filename, width, height, taken, taken_from, score, details = {} } = photo;
  const damage = photo.damaged && texts.damaged;
  const { camera, lens, place, altitude, rating, title, description, keywords } = details;
  const byCamera = (event: MouseEvent) => {
    event.preventDefault();
    onCamera(camera!);
  };
  const facts: [string, ComponentChildren][] = [
    [texts.title, title],
    [texts.file, damage],
    [texts.folder, folderOf(filename)],
    [taken_from === "file" ? texts.modified : texts.taken, taken && formatDate(taken)],
    [texts.size, `${formatNumber(width)} × ${formatNumber(height)}`],
    [
      texts.camera,
      camera && (
        <a href={urlOf({ ...EMPTY_QUERY, camera })} onClick={byCamera}>
          {camera}
        </a>
      ),
    ],
    [texts.lens, lens],
    [texts.exposure, formatExposure(details)],
    [
      texts.place,
      place && (
        <a href={mapUrl(place)} target="_blank" rel="noreferrer">
          {place.lat.toFixed(4)}, {place.lon.toFixed(4)}
        </a>
      ),
    ],
    [texts.altitude, altitude !== undefined && `${formatNumber(Math.round(altitude))} m`],
    [texts.rating, rating && (rating < 0 ? texts.rejected : texts.ratingOf(rating))],
    [texts.score, score !== null && score.toFixed(3)],
    [texts.keywords, keywords?.join(", ")],
    [texts.description, description],
  ];
  return (
    <dl>
      {facts.map(
        ([name, fact]) =>
          fact && (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{fact}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

type PictureProps = { filename: string; photo: Photo | undefined; onError: () => void };

/** The picture itself, made anew for each photo: the last one must not stand there meanwhile. */
function Picture({ filename, photo, onError }: PictureProps) {
  const source = useRef(photo ?? { filename });
  const version = useRef(photo?.version);
  // Another version is another picture; one that only becomes known is what is shown already.
  if (photo && version.current && version.current !== photo.version) source.current = photo;
  if (photo) version.current = photo.version;
  return (
    <img
      onError={onError}
      src={thumbUrl(source.current, 1024)}
      width={photo?.width}
      height={photo?.height}
      alt={nameOf(filename)}
      style={{
        "--ratio": photo && photo.width / photo.height,
        "--width": photo && `${photo.width}px`,
        "--preview": `url("${thumbUrl(source.current, 512)}")`,
      }}
    />
  );
}

export function Lightbox(props: Props) {
  const { filename, photo, previous, next, onTurn, onLike, onCamera, onClose } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const shown = useRef(filename);
  const touch = useRef<{ x: number; y: number } | null>(null);
  const [lost, setLost] = useState(""); // the photo that can't be shown
  shown.current = filename;

  useLayoutEffect(() => {
    const box = dialog.current!;
    box.showModal();
    box.focus();
    return () => box.open && returnFocus();
  }, []);

  // To the card, which is not the one where it began if arrows were used.
  function returnFocus() {
    const card = `[data-photo="${CSS.escape(shown.current)}"]`;
    document.querySelector<HTMLElement>(`${card} a`)?.focus();
  }

  useEffect(() => {
    for (const neighbour of [next, previous]) {
      if (neighbour) new Image().src = thumbUrl(neighbour, 1024);
    }
  }, [next, previous]);

  function turn(to: Photo | undefined) {
    if (to) onTurn(to.filename);
  }

  // At once: the dialog's event comes later, when another key may have moved the focus on.
  function leave() {
    dialog.current!.close();
    returnFocus();
  }

  function key(event: KeyboardEvent) {
    if (event.key === "Escape") {
      event.preventDefault();
      leave();
    }
    if (event.key === "ArrowRight") turn(next);
    if (event.key === "ArrowLeft") turn(previous);
  }

  function touchStart({ touches }: TouchEvent) {
    const [finger] = touches;
    // Two fingers enlarge; they do not turn.
    touch.current = touches.length === 1 ? { x: finger!.clientX, y: finger!.clientY } : null;
  }

  function touchEnd({ changedTouches }: TouchEvent) {
    if (!touch.current) return;
    const x = changedTouches[0]!.clientX - touch.current.x;
    const y = changedTouches[0]!.clientY - touch.current.y;
    touch.current = null;
    if (Math.abs(x) > SWIPE && Math.abs(x) > 2 * Math.abs(y)) turn(x < 0 ? next : previous);
    if (y > 2 * SWIPE && y > 2 * Math.abs(x)) leave();
  }

  return (
    <dialog
      ref={dialog}
      class="lightbox"
      aria-labelledby="photo-name"
      tabIndex={-1}
      onKeyDown={key}
      onClose={onClose}
    >
      <div
        class="stage"
        onTouchStart={touchStart}
        onTouchEnd={touchEnd}
        onClick={({ target, currentTarget }) => target === currentTarget && leave()}
      >
        {lost === filename ? (
          <p role="alert">{texts.cannotBeShown}</p>
        ) : (
          <Picture
            key={filename}
            filename={filename}
            photo={photo}
            onError={() => setLost(filename)}
          />
        )}
      </div>
      <button
        class="round turn previous"
        aria-label={texts.previousPhoto}
        disabled={!previous}
        onClick={() => turn(previous)}
      >
        <Icon name="previous" />
      </button>
      <button
        class="round turn next"
        aria-label={texts.nextPhoto}
        disabled={!next}
        onClick={() => turn(next)}
      >
        <Icon name="next" />
      </button>
      <div class="about">
        <div aria-live="polite">
          <h2 id="photo-name">{nameOf(filename)}</h2>
          {photo && <Facts photo={photo} onCamera={onCamera} />}
        </div>
        {lost !== filename && (
          <div class="buttons">
            <button class="strong" onClick={() => onLike(filename)}>
              <Icon name="similar" />
              {texts.moreLikeThis}
            </button>
            <a class="plain" href={originalUrl(photo ?? { filename })} download={nameOf(filename)}>
              <Icon name="download" />
              {texts.download}
            </a>
          </div>
        )}
      </div>
      <button class="round close" aria-label={texts.close} onClick={leave}>
        <Icon name="close" />
      </button>
    </dialog>
  );
}
