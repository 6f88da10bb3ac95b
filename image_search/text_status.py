"""How far the reading of words on photos is, as the status tells it."""

from dataclasses import dataclass

from pydantic import BaseModel, Field

from image_search.filters import Condition, Filter
from image_search.text_model import TextModel


class Words(BaseModel):
    """How many photos' words have been read."""

    read: int
    photos: int = Field(description="Those that can be read, words or not.")
    languages: list[str] | None = Field(
        description="What is read, by OCR_LANGUAGES; null: many languages."
    )
    trouble: str = Field(description="Why none are read just now, or nothing.")


@dataclass
class WordsBoard:
    """What tells whose words have been read, and why none are."""

    read: Filter
    languages: list[str] | None
    trouble: str = ""  # the reader alone writes it

    @classmethod
    def of(cls, model: TextModel, *, reads: bool) -> "WordsBoard":
        """`reads`: this process does so, and by this model."""
        done = read_by(model.version)
        if not reads:
            unread = Condition("text_read", is_empty=True)
            done = Filter(must_not=(unread,))
        return cls(done, model.known_languages)


def read_by(version: int) -> Filter:
    """The photos whose words a version of the reader has read."""
    return Filter(must=(Condition("text_read", equals=version),))


def unread_by(version: int) -> Filter:
    """All others."""
    return Filter(must_not=read_by(version).must)
