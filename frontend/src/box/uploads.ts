/** The visitor's own photos, kept on this device so that Back and reload find them again. */

export type Upload = { id: string; name: string; bytes: Blob; at: number };

const MAX_UPLOADS = 24;
const memory = new Map<string, Upload>(); // all there is where the browser allows no database

/** A short name for bytes (cyrb53). Not crypto.subtle, which is missing on plain http. */
function hash(bytes: Uint8Array): string {
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 2654435761);
    b = Math.imul(b ^ byte, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(36);
}

const resultOf = <T>(request: IDBRequest<T>) =>
  new Promise<T>((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

async function openStore(mode: IDBTransactionMode): Promise<IDBObjectStore> {
  const request = indexedDB.open("image-search", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("photos", { keyPath: "id" });
  return (await resultOf(request)).transaction("photos", mode).objectStore("photos");
}

/** Keep a photo; returns its id. The oldest ones make room. */
export async function saveUpload(file: File): Promise<string> {
  // A folder has no bytes; the server says that nothing is no photo.
  const buffer = await file.arrayBuffer().catch(() => new ArrayBuffer(0));
  const id = hash(new Uint8Array(buffer));
  const bytes = new Blob([buffer], { type: file.type });
  memory.set(id, { id, name: file.name, bytes, at: Date.now() });
  try {
    const store = await openStore("readwrite");
    await resultOf(store.put(memory.get(id)));
    const all: Upload[] = await resultOf(store.getAll());
    const oldest = all.sort((one, other) => other.at - one.at).slice(MAX_UPLOADS);
    await Promise.all(oldest.map((upload) => resultOf(store.delete(upload.id))));
  } catch {
    // Such as a private window, or a full disk: then it is kept until the page is left.
  }
  return id;
}

/** The photo of that id, if it is on this device. */
export async function findUpload(id: string): Promise<Upload | null> {
  try {
    return memory.get(id) ?? (await resultOf((await openStore("readonly")).get(id))) ?? null;
  } catch {
    return null;
  }
}
