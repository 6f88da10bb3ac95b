import { Icon } from "../Icon";
import { ROOT } from "../root";
import { About } from "../status/About";
import type { Status } from "../status/serverStatus";
import { texts } from "../texts";
import { NO_PHOTOS, type Query } from "../urlState";
import { Filters } from "./Filters";
import { PhotoDrop } from "./PhotoDrop";
import { Said } from "./Said";
import { SearchBar } from "./SearchBar";
import { usePhotos } from "./usePhotos";

type Props = {
  query: Query;
  status: Status | null;
  placeholder: string;
  onHome: () => void;
  onAsk: (changed: Partial<Query>) => void;
};

const NOTHING: Partial<Query> = { q: "", minus: [], ...NO_PHOTOS };

/** The name, the box, the filters, and what takes photos from anywhere on the page. */
export function TopBar({ query, status, placeholder, onHome, onAsk }: Props) {
  // A photo that is brought is a new question, as words are: the filters stay.
  const brought = usePhotos((photo) => onAsk({ ...NOTHING, ...photo }));
  return (
    <>
      <header>
        <h1 class="brand">
          <a href={ROOT} onClick={(event) => (event.preventDefault(), onHome())}>
            <Icon name="brand" />
            <span class="label">{texts.name}</span>
          </a>
        </h1>
        <SearchBar
          query={query}
          placeholder={placeholder}
          onAsk={onAsk}
          onPhoto={(file) => brought.byFiles([file])}
          onLink={brought.byLink}
        />
        <div class="tools">
          <Filters query={query} onQuery={onAsk} />
          <About status={status} />
        </div>
      </header>
      <PhotoDrop onPhotos={brought.byFiles} onLink={brought.byLink} />
      <Said text={brought.said} onClose={brought.dismiss} />
    </>
  );
}
