import type { Photo } from "../api";
import { folderOf, formatBytes, formatPixels } from "../format";
import "./Compared.css";

/** By what one is told from another that is nearly the same. */
export function Compared({ photo }: { photo: Photo }) {
  const { filename, width, height, file_bytes } = photo;
  const folder = folderOf(filename);
  return (
    <>
      <span>{formatPixels(width, height)}</span>
      {file_bytes && <span>{formatBytes(file_bytes)}</span>}
      {folder && <span>{folder}</span>}
    </>
  );
}
