"""Get the model before the server starts: `make run` calls this.

Downloads CLIP_MODEL from the Hugging Face Hub, with a progress bar, if it isn't on this machine.
Exits with 3 where the default model is wanted and the hub can't be reached: then `make run` builds
the starter model.
"""

import sys
import urllib.error
import urllib.request

from huggingface_hub import constants, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

import main

NEEDS_STARTER = 3
STARTER = ".data/starter"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")  # come last


def hub_answers() -> bool:
    """Whether the hub is there at all, whatever it answers; at the most 10 s."""
    if constants.HF_HUB_OFFLINE:
        return False
    try:
        urllib.request.urlopen(constants.ENDPOINT, timeout=10).close()  # noqa: S310, it is https
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def is_cached(name: str) -> bool:
    try:
        return any(try_to_load_from_cache(name, file) for file in WEIGHTS)
    except HFValidationError:  # no name, but a folder that isn't there
        return False


def get_model() -> int:
    name = main.settings.clip_model
    if name == STARTER:
        print("Searching with the starter model, which knows objects, animals, food, vehicles and")
        print(f"places. For CLIP itself remove CLIP_MODEL={name} from .env, and be online.")
        return 0 if main.MODEL_FOLDER.is_dir() else NEEDS_STARTER
    if main.MODEL_FOLDER.is_dir() or is_cached(name):
        return 0
    if name == main.Settings.model_fields["clip_model"].default and not hub_answers():
        print(f"The Hugging Face Hub can't be reached for {name}: building the starter model.")
        return NEEDS_STARTER
    print(f"Downloading {name}, once.", flush=True)
    try:
        main.clip("text")
    except main.StartError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(get_model())
