import type { TargetedMouseEvent } from "preact";
import { useEffect, useState } from "preact/hooks";
import { thumbUrl } from "../api";
import { formatDate, formatNear, nameOf } from "../format";
import { Icon, type IconName } from "../Icon";
import "./Terms.css";
import { texts } from "../texts";
import type { Query } from "../urlState";
import { findUpload } from "./uploads";

type Props = { query: Query; onQuery: (query: Query) => void };

/** A photo in small, or the sign for one where it can't be shown. */
function Preview({ url }: { url: string }) {
  const [failed, setFailed] = useState("");
  if (!url || failed === url) return <Icon name="photo" />;
  return <img src={url} alt="" onError={() => setFailed(url)} />;
}

/** The visitor's own photo; browsers can't show every kind, HEIC for one. */
function Upload({ id }: { id: string }) {
  const [url, setUrl] = useState("");

  useEffect(() => {
    let made = "";
    let gone = false;
    findUpload(id).then((photo) => {
      if (!photo || gone) return;
      made = URL.createObjectURL(photo.bytes);
      setUrl(made);
    });
    return () => {
      gone = true;
      URL.revokeObjectURL(made);
    };
  }, [id]);

  return <Preview url={url} />;
}

/** Everything that is asked for beside the words in the box, each removable. */
function chipsOf(query: Query) {
  const { q, like, image, minus, folder, after, before, near, camera } = query;
  const chips: { text: string; icon?: IconName; kind?: string; without: Partial<Query> }[] = [];
  if (image) chips.push({ text: texts.yourPhoto, kind: "image", without: { image: "" } });
  if (like) chips.push({ text: texts.like(nameOf(like)), kind: "like", without: { like: "" } });
  // The words alone stand in the box already.
  if (q && (like || image || minus.length)) chips.push({ text: q, without: { q: "" } });
  for (const term of minus) {
    const others = minus.filter((other) => other !== term);
    chips.push({ text: term, icon: "without", kind: "minus", without: { minus: others } });
  }
  if (folder) chips.push({ text: folder, icon: "folder", without: { folder: "" } });
  if (after)
    chips.push({ text: texts.from(formatDate(after)), icon: "calendar", without: { after: "" } });
  if (before)
    chips.push({ text: texts.before(formatDate(before)), icon: "calendar", without: { before: "" } });
  if (near)
    chips.push({ text: texts.near(formatNear(near)), icon: "place", without: { near: "" } });
  if (camera) chips.push({ text: camera, icon: "camera", without: { camera: "" } });
  return chips;
}

export function Terms({ query, onQuery }: Props) {
  const chips = chipsOf(query);
  if (chips.length === 0) return null;

  function remove(
    { currentTarget, detail }: TargetedMouseEvent<HTMLButtonElement>,
    without: Partial<Query>,
  ) {
    const chip = currentTarget.parentElement!;
    const neighbour = chip.nextElementSibling ?? chip.previousElementSibling;
    onQuery({ ...query, ...without });
    if (detail) return; // a finger or mouse; the keyboard's focus would go with the chip
    neighbour?.querySelector("button")!.focus();
    requestAnimationFrame(() => {
      if (document.activeElement === document.body) document.getElementById("q")!.focus();
    });
  }

  return (
    <ul class="chips terms" role="list" aria-label={texts.searchTerms}>
      {chips.map(({ text, icon, kind, without }) => (
        <li key={`${kind} ${text}`} class={`chip ${kind ?? ""}`}>
          {kind === "image" && <Upload id={query.image} />}
          {kind === "like" && <Preview url={thumbUrl({ filename: query.like }, 256)} />}
          {icon && <Icon name={icon} />}
          {kind === "minus" && <span class="unseen">without </span>}
          <span class="text">{text}</span>
          <button
            class="round"
            aria-label={texts.remove(text)}
            onClick={(event) => remove(event, without)}
          >
            <Icon name="close" />
          </button>
        </li>
      ))}
    </ul>
  );
}
