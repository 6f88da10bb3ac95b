/** What is copied from an open photo, as far as the browser lets it. */

/** Browsers copy pictures only where nobody on the way could have changed the page. */
export const canCopyImage =
  isSecureContext && "ClipboardItem" in window && "write" in (navigator.clipboard ?? {});

/** Where there is no clipboard, as over http from another machine, a selection is copied. */
export async function copyText(text: string, beside: HTMLElement): Promise<boolean> {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  }
  const area = document.createElement("textarea");
  area.value = text;
  beside.append(area); // in the dialog: all else can't be selected
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  beside.focus();
  return isCopied;
}

async function pngOf(url: string): Promise<Blob> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(answer.statusText);
  const picture = await createImageBitmap(await answer.blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  canvas.getContext("2d")!.drawImage(picture, 0, 0);
  picture.close();
  return canvas.convertToBlob({ type: "image/png" });
}

/** Copy the picture at an address, as a PNG: browsers take no other kind. */
export async function copyImage(url: string): Promise<boolean> {
  // A promise within: Safari wants the call itself at once.
  const item = new ClipboardItem({ "image/png": pngOf(url) });
  return navigator.clipboard.write([item]).then(
    () => true,
    () => false,
  );
}
