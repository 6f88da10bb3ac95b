import { Icon } from "../Icon";
import { texts } from "../texts";
import "./Recents.css";

type Props = {
  searches: string[];
  active: number;
  onTake: (typed: string) => void;
  onForget: (typed: string) => void;
};

export const recentId = (index: number) => `recent-${index}`;

/** Recent searches below the box. The focus stays in the box, which says what is active. */
export function Recents({ searches, active, onTake, onForget }: Props) {
  return (
    // Pressed, it would take the focus.
    <div class="recents raised" onMouseDown={(event) => event.preventDefault()}>
      <ul id="recents" role="listbox" aria-label={texts.recentSearches}>
        {searches.map((typed, index) => (
          <li
            key={typed}
            id={recentId(index)}
            role="option"
            aria-selected={index === active}
            onClick={() => onTake(typed)}
          >
            <Icon name="recent" />
            <span class="text">{typed}</span>
            {/* For pointers; keys have Delete. */}
            <span
              class="round"
              aria-hidden="true"
              title={texts.remove(typed)}
              onClick={(event) => (event.stopPropagation(), onForget(typed))}
            >
              <Icon name="close" />
            </span>
          </li>
        ))}
      </ul>
      <p id="recents-keys">{texts.recentsKeys}</p>
    </div>
  );
}
