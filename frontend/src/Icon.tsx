const PATHS = {
  brand: "M18.5 10.5a8 8 0 1 1-16 0a8 8 0 0 1 16 0M16.5 16.5l5 5M3.5 13.5 8 9l3.5 3.5 2-2 4 4",
  search: "M18 11a7 7 0 1 1-14 0a7 7 0 0 1 14 0M16 16l4.5 4.5",
  camera: "M4 8h3.5L9 5.5h6L16.5 8H20v11H4zM15.5 13a3.5 3.5 0 1 1-7 0a3.5 3.5 0 0 1 7 0",
  filters:
    "M4 7h9M17 7h3M4 17h3M11 17h9M17 7a2 2 0 1 1-4 0a2 2 0 0 1 4 0M11 17a2 2 0 1 1-4 0a2 2 0 0 1 4 0",
  info: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18zM12 11v5.5M12 7.5h.01",
  close: "M6 6l12 12M18 6 6 18",
  without: "M6 12h12",
  plus: "M6 12h12M12 6v12",
  recent: "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16zM12 7.5V12l3 2",
  previous: "M14.5 5 8 12l6.5 7",
  next: "M9.5 5 16 12l-6.5 7",
  similar:
    "M20 10V5.5a1.5 1.5 0 0 0-1.5-1.5h-13A1.5 1.5 0 0 0 4 5.5v11A1.5 1.5 0 0 0 5.5 18H9.5M4 14.5l4-4 3 3M14.5 8.5h.01M19 16.5a3 3 0 1 1-6 0a3 3 0 0 1 6 0M18.2 18.7l2.8 2.8",
  smaller: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h6v6h-6z",
  larger: "M4 4h16v16H4z",
  download: "M12 4v11M7 10.5l5 5 5-5M5 20h14",
  folder: "M3.5 6h6l2 2.5h9V19h-17z",
  calendar: "M4 6h16v14H4zM4 10.5h16M8.5 3.5V7M15.5 3.5V7",
  place: "M12 21c4-5 6-8 6-11a6 6 0 0 0-12 0c0 3 2 6 6 11M14 10a2 2 0 1 1-4 0a2 2 0 0 1 4 0",
  photo: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9h.01",
  original: "M13.5 4H20v6.5M20 4l-9 9M17 14v5.5H4.5V7H10",
  copy: "M8.5 8.5h11v11h-11zM15.5 8.5v-4h-11v11h4",
  path: "M9.5 14.5l5-5M8 11l-3 3a3.5 3.5 0 0 0 5 5l3-3M16 13l3-3a3.5 3.5 0 0 0-5-5l-3 3",
  zoomIn: "M18 11a7 7 0 1 1-14 0a7 7 0 0 1 14 0M16 16l4.5 4.5M8 11h6M11 8v6",
  zoomOut: "M18 11a7 7 0 1 1-14 0a7 7 0 0 1 14 0M16 16l4.5 4.5M8 11h6",
  play: "M7 4.5 19 12 7 19.5z",
  pause: "M8 5v14M16 5v14",
  fullScreen: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  keys: "M3 6.5h18v11H3zM7 10h.01M10.5 10h.01M14 10h.01M17.5 10h.01M8 14h8",
  offline:
    "M5 12.5a10 10 0 0 1 5-2.7M2 9a15 15 0 0 1 6-3.4M12 5a15 15 0 0 1 10 4M15.5 10.5A10 10 0 0 1 19 12.5M9 16a5 5 0 0 1 6 0M12 20h.01M4 3l16 18",
  wait: "M6 3h12M6 21h12M7 3v3c0 3 5 4 5 6s-5 3-5 6v3M17 3v3c0 3-5 4-5 6s5 3 5 6v3",
  words: "M5 8V5h14v3M12 5v14M9 19h6",
  trouble: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18zM12 8v4.5M12 16h.01",
};

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
