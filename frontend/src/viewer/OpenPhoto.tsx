import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { nameOf } from "../format";
import { Icon } from "../Icon";
import { texts } from "../texts";
import { Controls } from "./Controls";
import { canCopyImage, copyImage, copyText } from "./copy";
import { Panel, usePanel } from "./Panel";
import { Trouble } from "./Trouble";
import { wholeUrl } from "./sources";
import { tileOf } from "./slides";
import { useIdle } from "./useIdle";
import { useMarks, whyOf } from "./useMarks";
import { usePhoto } from "./usePhoto";
import { useSequence } from "./useSequence";
import { useSlideshow } from "./useSlideshow";
import { useStage } from "./useStage";
import { useToast } from "./useToast";
import { actOnKey } from "./viewerKeys";
import type { ViewerProps } from "./Viewer";
import "./Viewer.css";

type Props = ViewerProps & {
  filename: string;
  /** Not any more while it flies back. */
  isOpen: boolean;
  onGone: () => void;
};

/** One photo, and nothing beside it but what is known of it and can be done with it. */
export function OpenPhoto(props: Props) {
  const { filename, isOpen, url, state, version, onTurn, onClose, onAsk, onGone } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const cinema = useRef<HTMLDivElement>(null);
  const place = useRef<HTMLDivElement>(null);
  const isLeaving = useRef(false);
  // Whoever came from a tile sees it grow; else nothing shines through.
  const [start] = useState(() => ({
    hasTile: tileOf(filename) !== null,
    byKeyboard: document.activeElement?.matches(":focus-visible") ?? false,
  }));
  const [isZoomed, setZoomed] = useState(false);
  const [isLoaded, setLoaded] = useState("");
  const { isIdle, wake, stayAwake, toggle } = useIdle(start.byKeyboard);
  const [hasPanel, setPanel] = usePanel();
  const [toast, say] = useToast(filename);
  const sequence = useSequence(filename, url.query, url.key, state, props.onMore);
  const found = sequence.photos[sequence.at];
  const { record, problem, fail, attempt } = usePhoto(filename, version, found !== undefined);

  // Its own record is the latest that is known of it; only a search says why it was found.
  const photo = useMemo(
    () => (record ? { ...record, ...whyOf(found) } : found),
    [record, found],
  );
  const isOld = photo !== undefined && found !== undefined && photo.version !== found.version;
  const photos = useMemo(() => {
    if (!found) return photo ? [photo] : [];
    return isOld ? sequence.photos.with(sequence.at, photo) : sequence.photos;
  }, [sequence.photos, found ? isOld : photo]);
  const at = found ? sequence.at : photos.length - 1;
  const previous = at > 0;
  const next = at >= 0 && at + 1 < photos.length;
  const isGone = problem?.kind === "gone";

  const stage = useStage(place, photos, at, attempt, {
    onTurn,
    onClose: leave,
    onGone,
    onTap: toggle,
    onZoom: setZoomed,
    onShown: setLoaded,
    onFail: fail,
  });
  useMarks(stage, photo, isLoaded);
  const places = { previous: at - 1, next: at + 1, first: 0, last: photos.length - 1 };
  const turn = (to: keyof typeof places) => {
    const there = photos[places[to]]?.filename;
    if (there && there !== filename) onTurn(there);
  };
  const isReady = isLoaded === filename;
  const goOn = isReady && next ? () => turn("next") : null;
  const [isPlaying, setPlaying] = useSlideshow(goOn, isReady && !next);

  useLayoutEffect(() => {
    dialog.current!.showModal();
    dialog.current!.focus();
  }, []);

  // A button that can't be pressed any more takes the keys with it.
  useLayoutEffect(() => {
    const active = document.activeElement;
    if (isOpen && (active === document.body || active?.matches(":disabled"))) {
      dialog.current!.focus();
    }
  }, [filename, isGone]);

  // By Back, or by another query.
  useEffect(() => {
    if (!isOpen) leave();
  }, [isOpen]);

  /** To the tile, which is not the one where it began if arrows were used. */
  function returnFocus() {
    const tile = tileOf(filename)?.querySelector("a");
    (tile ?? document.querySelector<HTMLElement>(".photos a"))?.focus();
  }

  // The dialog ends at once, so that the next key is the page's; only the photo has yet to fly.
  function leave() {
    if (isLeaving.current) return;
    isLeaving.current = true;
    dialog.current!.close();
    returnFocus();
    if (isOpen) onClose();
    if (document.fullscreenElement) document.exitFullscreen();
    if (stage.current) stage.current.close();
    else onGone();
  }

  const toggleFullScreen = () =>
    document.fullscreenElement
      ? document.exitFullscreen()
      : cinema.current!.requestFullscreen?.().catch(() => {});

  const click = (link: string) => dialog.current!.querySelector<HTMLElement>(link)?.click();
  const does = {
    turn,
    close: leave,
    like: () => photo && !isGone && onAsk({ like: [filename] }),
    download: () => click(".bar a[download]"),
    original: () => click(".bar a[target]"),
    copyPath: async () =>
      say((await copyText(filename, dialog.current!)) ? texts.pathCopied : texts.notCopied),
    copyWords: async (words: string) =>
      say((await copyText(words, dialog.current!)) ? texts.wordsCopied : texts.notCopied),
    copyImage: async () => {
      if (!photo || isGone || !canCopyImage) return;
      say((await copyImage(wholeUrl(photo))) ? texts.imageCopied : texts.notCopied);
    },
    panel: () => setPanel(!hasPanel),
    play: () => setPlaying(!isPlaying),
    zoom: () => stage.current?.toggleZoom(),
    zoomBy: (factor: number) => stage.current?.zoomBy(factor),
    pan: (x: number, y: number) => stage.current?.pan(x, y),
    fullScreen: toggleFullScreen,
  };

  function key(event: KeyboardEvent) {
    stayAwake();
    actOnKey(event, does, isZoomed);
  }

  const name = nameOf(filename);
  const classes = ["viewer", isIdle && "idle", !isOpen && "leaving", !start.hasTile && "dark"];
  return (
    <dialog
      ref={dialog}
      class={classes.filter(Boolean).join(" ")}
      aria-labelledby="photo-name"
      tabIndex={-1}
      inert={!isOpen}
      onKeyDown={key}
      onPointerMove={wake}
      onCancel={(event) => (event.preventDefault(), leave())}
      onClose={leave}
    >
      <div ref={cinema} class={hasPanel ? "cinema beside" : "cinema"}>
        <div ref={place} class="stage" />
        <Controls
          name={name}
          photo={photo}
          isGone={isGone}
          isZoomed={isZoomed}
          isPlaying={isPlaying}
          hasPanel={hasPanel}
          does={does}
        />
        {(["previous", "next"] as const).map((side) => (
          <button
            key={side}
            class={`round fades turn ${side}`}
            aria-label={side === "next" ? texts.nextPhoto : texts.previousPhoto}
            disabled={side === "next" ? !next : !previous}
            onClick={() => turn(side)}
          >
            <Icon name={side} />
          </button>
        ))}
        <Trouble problem={problem} wasKnown={photo !== undefined} isShown={isReady} />
        <p class="toast" role="status">
          {toast}
        </p>
        {hasPanel && (
          <Panel name={name} photo={photo} isGone={isGone} does={does} onAsk={onAsk} />
        )}
      </div>
    </dialog>
  );
}
