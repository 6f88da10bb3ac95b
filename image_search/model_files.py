"""A model's parts are loaded: from this machine, or else from the hub."""

import contextlib
import copy
from typing import Any, Literal

from image_search.reports import without_reports
from image_search.settings import StartupError, logger

Half = Literal["text", "image"]
# What transformers calls the half that is left out.
OTHERS: dict[Half, str] = {"text": "vision", "image": "text"}


def load_half(
    half: Half, config: Any, name: str, place: str, **options: Any
) -> Any:
    """Load one half of a dual encoder; raises StartupError.

    The other's weights, which are most of a file, are not
    read: the text half of ViT-L/14 takes 0.4 s of CPU and
    1.1 GB at the most in place of 3.2 s and 2.8 GB, its
    image half 1.5 s and 2.3 GB (in bfloat16, from float32).

    `config`: transformers', of the whole model.
    """
    other = OTHERS[half]
    try:
        model = _load_without(other, config, name, place, **options)
    except StartupError as error:
        if isinstance(error.__cause__, OSError):
            raise  # there are no such files
        # It can't do without those layers.
        model = load_part("AutoModel", name, place, **options)
    # A model whose halves go by other names is kept as it is.
    with contextlib.suppress(AttributeError):
        delattr(model, f"{other}_model")
    return model


def _load_without(
    other: str, config: Any, name: str, place: str, **options: Any
) -> Any:
    """Load a model one half of which has no layers."""
    lean = copy.deepcopy(config)
    part: Any = getattr(lean, f"{other}_config", None)
    if isinstance(getattr(part, "num_hidden_layers", None), int):
        part.num_hidden_layers = 0
    # Such as a list of the weights that are left out.
    with without_reports():
        model, told = load_part(
            "AutoModel",
            name,
            place,
            config=lean,
            output_loading_info=True,
            **options,
        )
    model.config = config
    if missing := sorted(told["missing_keys"]):
        logger.warning(
            "CLIP_MODEL=%s has no weights for %d of its parts, such as %s:"
            " they are random, so what it finds may be wrong.",
            name,
            len(missing),
            missing[0],
        )
    return model


def load_part(auto_class: str, name: str, place: str, **options: Any) -> Any:
    """Load a part with a transformers Auto class; raises StartupError.

    `name`: what CLIP_MODEL says; `place`: that, or the folder it names.
    """
    import transformers  # costly: torch comes with it

    load = getattr(transformers, auto_class).from_pretrained
    log: Any = transformers.utils.logging
    log.disable_progress_bar()
    try:
        # What is on this machine is used without asking the hub.
        try:
            return load(place, local_files_only=True, **options)
        except OSError:
            log.enable_progress_bar()
            return load(place, **options)
    # Of any type: there are many ways to be no model.
    except Exception as error:
        message = str(error) or repr(error)
        reason = message.strip().splitlines()[0].rstrip(".")
        raise StartupError(
            f"CLIP_MODEL={name} cannot be loaded: {reason}."
            " Set CLIP_MODEL to the name of a CLIP-like model on the"
            " Hugging Face Hub, or to a folder that holds one."
        ) from error
