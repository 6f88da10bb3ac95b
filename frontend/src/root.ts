/**
 * Where the app lies on its host: `/`, or `/photos/` say, which no build has to know. It is the
 * folder above that of its code, in windows and in workers alike.
 */
export const ROOT = new URL(/* @vite-ignore */ "..", import.meta.url).pathname;
