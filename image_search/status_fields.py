"""What /status tells, field by field."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from image_search.text_status import Words


class PlaceStatus(BaseModel):
    """What is indexed of one place, where they have names."""

    name: str
    state: Literal["indexing", "ready"]
    photos: int = Field(description="Photos in it, but those not looked into.")
    waiting: int
    last_error: str | None


class Status(BaseModel):
    """What is indexed, with what, and what is left to do."""

    state: Literal["indexing", "ready"]
    model: str
    device: str
    precision: str
    store: str
    languages: list[str] | None = Field(
        None, description="That the model reads; null if it reads many."
    )
    photos: int = Field(description="Photos in the image folder.")
    indexed: int
    waiting: int
    skipped: int
    skipped_photos: list[dict[str, str]] = Field(
        description="100 of the skipped photos: filename and reason."
    )
    all_skipped: str = Field(
        "/status/skipped", description="Where all of them are listed."
    )
    damaged: int = Field(
        0, description="Photos indexed as far as they can be read."
    )
    damaged_photos: list[str] = Field([], description="100 of them.")
    not_read: dict[str, int] = Field(
        {}, description="Pictures of kinds that are not read, by ending."
    )
    raw_beside: int = Field(
        0, description="RAW files beside a JPEG or HEIC, which stands for both."
    )
    left_out: int = Field(
        0, description="Folders and photos left out by default or by EXCLUDE."
    )
    images_per_second: float | None
    seconds_to_go: int | None
    last_change: datetime | None = Field(
        description="In the folder or the index, since the start."
    )
    places: list[PlaceStatus] = Field(
        [], description="Each place of IMAGE_DIR that has a name."
    )
    notices: list[str] = Field(
        description="What its owner should know, though all else goes on."
    )
    last_error: str | None
    words: Words | None = Field(
        None, description="How far those on photos are read; null: OCR=off."
    )
