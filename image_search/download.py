"""Get the model before the app starts: `python -m image_search.download`.

Downloads CLIP_MODEL from the Hugging Face Hub, with a progress bar, unless it is on
this machine. Exits with 3 where the default model is wanted and the hub can't be
reached: then `make run` builds the starter model.
"""

from image_search.stopping import end_at_once

if __name__ == "__main__":
    end_at_once()  # amid the imports too

import sys
import urllib.error
import urllib.request

from huggingface_hub import constants, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

from image_search.clip import DualEncoder, load_tower
from image_search.settings import Settings, StartupError, settings

NEEDS_STARTER = 3
STARTER = ".data/starter"
HUB_SECONDS = 10
# A model of many parts is left to transformers, which loads what it has.
WEIGHTS = "model.safetensors", "pytorch_model.bin"


def download(settings: Settings) -> int:
    """Get the model of some settings; returns the program's exit code."""
    name = settings.clip_model
    if name == STARTER:
        print(
            "Searching with the starter model, which knows objects, animals, food,"
            " vehicles and\nplaces. For CLIP itself remove"
            f" CLIP_MODEL={name} from .env, and be online."
        )
        return 0 if settings.model_folder else NEEDS_STARTER
    if settings.model_folder or is_cached(name):
        return 0
    is_default = name == Settings.model_fields["clip_model"].default
    if is_default and not hub_answers():
        print(
            f"The Hugging Face Hub can't be reached for {name}: building the starter"
            " model."
        )
        return NEEDS_STARTER
    print(f"Downloading {name}, once.", flush=True)
    try:
        load_tower(DualEncoder.from_settings(settings), "text")
    except StartupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def hub_answers() -> bool:
    """Whether the hub is there at all, whatever it answers."""
    if constants.HF_HUB_OFFLINE:
        return False
    try:
        hub = urllib.request.urlopen(constants.ENDPOINT, timeout=HUB_SECONDS)  # noqa: S310
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    hub.close()
    return True


def is_cached(name: str) -> bool:
    """Whether the hub's model of that name is on this machine."""
    try:
        paths = [try_to_load_from_cache(name, file) for file in WEIGHTS]
    except HFValidationError:  # no name, but a folder that isn't there
        return False
    # A file that is known not to exist is neither a path nor None.
    return any(isinstance(path, str) for path in paths)


if __name__ == "__main__":
    sys.exit(download(settings))
