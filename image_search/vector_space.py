"""Which model the vectors of a collection are of, as the collection itself says.

Vectors of two models may be of one length, and are not to be compared.
"""

import contextlib
import hashlib
from collections.abc import Callable
from typing import Any

from qdrant_client import QdrantClient, models

from image_search.qdrant_nodes import Unanswered
from image_search.settings import StartupError

MARK = "image_search_model"
# In the key of a model of the hub, whose weights are not looked at.
NO_WEIGHTS = hashlib.sha256().hexdigest()[:12]


def mark_of(model: str) -> dict[str, str]:
    """What is written into a collection; `model`: the key of an encoder."""
    return {MARK: model} if model else {}


def model_of(info: models.CollectionInfo) -> str | None:
    """The model that a collection names, if it does."""
    found = (info.config.metadata or {}).get(MARK)
    return found if isinstance(found, str) else None


def refuse_other_model(
    info: models.CollectionInfo, collection: str, model: str
) -> None:
    """Raise StartupError where the vectors are of another model."""
    found = model_of(info)
    if found and model and not are_alike(found, model):
        raise StartupError(
            f"Qdrant's collection {collection} has vectors of {_name(found)}, and"
            f" CLIP_MODEL={_name(model)} is another model: set CLIP_MODEL to that one,"
            " or QDRANT_COLLECTION to a new name."
        )


def check_model(
    info: models.CollectionInfo,
    collection: str,
    model: str,
    ask: Callable[[Callable[[QdrantClient], Any]], Any],
) -> None:
    """Refuse another model; note this one in a collection that tells none yet.

    `ask`: has a node answer, or raises Unanswered. Raises StartupError.
    """
    refuse_other_model(info, collection, model)
    if not model or model_of(info):
        return
    # Servers before 1.16 keep no such thing, and a key may not be good for it.
    with contextlib.suppress(Unanswered):
        ask(
            lambda qdrant: qdrant.update_collection(
                collection, metadata=mark_of(model)
            )
        )


def are_alike(one: str, other: str) -> bool:
    """Whether two keys may be those of one model.

    By its weights, wherever it lies; those of the hub go by their names. A folder may
    hold the hub's.
    """
    weights = {_weights(one), _weights(other)}
    if NO_WEIGHTS not in weights:
        return len(weights) == 1
    return len(weights) == 2 or _name(one) == _name(other)  # noqa: PLR2004


def _name(model: str) -> str:
    return model.rpartition("@")[0]


def _weights(model: str) -> str:
    return model.rpartition("@")[2]
