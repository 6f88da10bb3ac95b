import { originalUrl, type Photo } from "../api";
import { nameOf } from "../format";
import { Icon, type IconName } from "../Icon";
import { texts } from "../texts";
import { canCopyImage } from "./copy";
import { wholeUrl } from "./sources";

export type Does = { like: () => void; copyPath: () => void; copyImage: () => void };

type Props = {
  photo: Photo | undefined;
  /** Its file is gone, or nobody knows where it is: only its name can be had. */
  isGone: boolean;
  does: Does;
  /** With their names beside the icons, as in the panel. */
  isLong?: boolean;
};

/** What can be done with an open photo. */
export function Actions({ photo, isGone, does, isLong = false }: Props) {
  const look = isLong ? "plain" : "round";

  const button = (icon: IconName, name: string, act: () => void, isOff: boolean, extra = "") => (
    <button
      class={`${look} ${extra}`}
      aria-label={isLong ? undefined : name}
      title={isLong ? undefined : name}
      disabled={isOff}
      onClick={act}
    >
      <Icon name={icon} />
      {isLong && name}
    </button>
  );

  const link = (icon: IconName, name: string, to: object, extra = "") =>
    !photo || isGone ? (
      button(icon, name, () => {}, true, extra)
    ) : (
      <a
        class={`${look} ${extra}`}
        aria-label={isLong ? undefined : name}
        title={isLong ? undefined : name}
        {...to}
      >
        <Icon name={icon} />
        {isLong && name}
      </a>
    );

  const original = photo && { href: wholeUrl(photo), target: "_blank" };
  const file = photo && { href: originalUrl(photo), download: nameOf(photo.filename) };
  return (
    <>
      {button("similar", texts.moreLikeThis, does.like, !photo || isGone)}
      {link("download", texts.download, file ?? {})}
      {link("original", texts.openOriginal, original ?? {}, "more")}
      {button("path", texts.copyPath, does.copyPath, false, "more")}
      {canCopyImage &&
        button("copy", texts.copyImage, does.copyImage, !photo || isGone, "more")}
    </>
  );
}
