import { useEffect, useState } from "preact/hooks";
import { Icon } from "../Icon";
import { findUpload } from "./uploads";

/** A photo in small, or the sign for one where it can't be shown. */
export function Preview({ url }: { url: string }) {
  const [failed, setFailed] = useState("");
  if (!url || failed === url) return <Icon name="photo" />;
  return <img src={url} alt="" onError={() => setFailed(url)} />;
}

/** The visitor's own photo; browsers can't show every kind, HEIC for one. */
export function Upload({ id }: { id: string }) {
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
