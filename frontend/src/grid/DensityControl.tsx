import { Icon } from "../Icon";
import { texts } from "../texts";
import type { Density } from "./density";
import "./DensityControl.css";

/** Larger and smaller photos, for those without a wheel or a touchpad. */
export function DensityControl({ density }: { density: Density }) {
  const { canGrow, canShrink, change } = density;
  return (
    <div class="density" role="group" aria-label={texts.photoSize}>
      <button
        class="round"
        aria-label={texts.smallerPhotos}
        title={texts.smallerPhotos}
        aria-disabled={!canShrink}
        onClick={() => change(-1)}
      >
        <Icon name="smaller" />
      </button>
      <button
        class="round"
        aria-label={texts.largerPhotos}
        title={texts.largerPhotos}
        aria-disabled={!canGrow}
        onClick={() => change(1)}
      >
        <Icon name="larger" />
      </button>
    </div>
  );
}
