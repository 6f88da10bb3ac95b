import { formatNumber } from "../format";
import { texts } from "../texts";
import type { News } from "../useFreshResults";

/** The offer of what is new, to those who would lose their place. */
export function NewPhotos({ news, onShow }: { news: News; onShow: () => void }) {
  return (
    <button class="strong floating" onClick={onShow}>
      {news.added > 0 ? texts.newPhotos(formatNumber(news.added)) : texts.refresh}
    </button>
  );
}
