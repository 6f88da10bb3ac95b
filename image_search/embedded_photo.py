"""What the flow's function `embed_image` returns, as CocoIndex reads it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from image_search.dates import NOT_TOLD, Taken

# A vector of shape (d,), of length 1.
Vector = np.ndarray[tuple[Any, ...], np.dtype[np.float32]]


@dataclass
class EmbeddedPhoto:
    """What came of a photo: a vector and facts, or the reason why there are none."""

    embedding: Vector | None
    error: str | None
    width: int  # pixels, upright; 0 if it can't be read
    height: int
    taken: Taken  # NOT_TOLD by its header: CocoIndex hands no null over
    sha256: str  # of the file, in hexadecimal
    # A part of its file is missing, or wrong, and it is shown.
    damaged: bool = False
    remarks: str | None = None  # what its decoder said, for the log
    # metadata.Details; CocoIndex would take a dict's type for a table.
    details: Any = field(default_factory=dict)
    thumbhash: str | None = None  # a picture of it in some 25 bytes, in base64

    @classmethod
    def skipped(cls, digest: bytes, error: Exception) -> "EmbeddedPhoto":
        """One that can't be read, or embedded."""
        notes = getattr(error, "__notes__", [])
        return cls(
            embedding=None,
            error=str(error),
            width=0,
            height=0,
            taken=NOT_TOLD,
            sha256=digest.hex(),
            remarks="; ".join(notes) or None,
        )
