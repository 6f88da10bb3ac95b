"""A model's parts are loaded: from this machine, or else from the hub."""

from typing import Any

from image_search.settings import StartupError


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
