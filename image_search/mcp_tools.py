"""What programs can ask by MCP: searches, as a person has them, with pictures."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import HTTPException
from pydantic import BaseModel, Field, ValidationError

from image_search import refusals
from image_search.hits import Hit, SearchResponse
from image_search.photo_record import find_record, size_in
from image_search.question import MOST_NAMED, WAYS, Filters, Search, Ways, Words
from image_search.roles import Searches
from image_search.status import StatusBoard
from image_search.web import Thumbnails, ThumbnailSize

SMALL: ThumbnailSize = "256"
MOST_PICTURES = 24

# A text, or the JPEG of a photo.
Part = str | bytes

Limit = Annotated[
    int, Field(ge=1, le=100, description="How many photos at most.")
]
Pictures = Annotated[
    int,
    Field(
        ge=0,
        le=MOST_PICTURES,
        description="Of how many of them, from the first on, a small picture comes.",
    ),
]


class SearchPhotos(Filters):
    """Find photos by what is seen or written on them, or by their names, best first.

    `why` and `matches` say how each was found. A score says only how
    photos compare within one answer.
    """

    query: Words = Field(
        description="What is to be seen: 'a dog on the beach'. Also what a photo or a"
        " folder is called ('IMG_4006'), or what is written on it ('invoice 4711');"
        " a phrase in quotes finds only that: '\"exit only\"'."
    )
    in_: Ways = ",".join(WAYS)
    minus: list[Words] = Field(
        [], max_length=10, description="What is not to be seen."
    )
    sort: Literal["score", "newest", "oldest"] = "score"
    limit: Limit = 10
    offset: int = Field(0, ge=0, le=100_000, description="How many to skip.")
    pictures: Pictures = 4

    def search(self) -> Search:
        """As the app has it."""
        own = self.model_dump(exclude={"query", "pictures"})
        return Search(q=self.query, **own)


class SimilarPhotos(BaseModel, extra="forbid"):
    """Find photos that look like others of the collection, best first."""

    filenames: list[str] = Field(
        min_length=1,
        max_length=MOST_NAMED,
        description="The photos, by name, that others are to be like.",
    )
    query: Words | None = Field(
        None, description="What is to be seen besides, in plain words."
    )
    limit: Limit = 10
    pictures: Pictures = 4

    def search(self) -> Search:
        """As the app has it."""
        return Search(q=self.query, like=self.filenames, limit=self.limit)


class GetPhoto(BaseModel, extra="forbid"):
    """See one photo, upright, as a JPEG, with all that is known of it."""

    filename: str = Field(description="Its name, as a search gives it.")
    size: Literal["256", "512", "1024", "2048"] = Field(
        "1024", description="Pixels on its longer side, at most."
    )


class ToolFailed(Exception):
    """A sentence for whoever asked: what is wrong, and what to do."""


class Tool(NamedTuple):
    """`call`: what it is asked, and from which network -> its answer."""

    name: str
    arguments: type[BaseModel]
    call: Callable[[Any, str], Awaitable[list[Part]]]


class PhotoTools:
    """The tools, and what they stand on."""

    def __init__(
        self, searches: Searches, thumbnails: Thumbnails, board: StatusBoard
    ) -> None:
        self.searches = searches
        self.thumbnails = thumbnails
        self.board = board
        self.all = (
            Tool("search_photos", SearchPhotos, self.find),
            Tool("similar_photos", SimilarPhotos, self.find),
            Tool("get_photo", GetPhoto, self.get_photo),
        )

    async def call(
        self, name: str, arguments: Mapping[str, Any], client: str
    ) -> list[Part]:
        """The answer of a tool; raises ToolFailed. `client`: an IP address."""
        tools = {tool.name: tool for tool in self.all}
        if name not in tools:
            raise ToolFailed(
                f"There is no tool {name}: there are {', '.join(tools)}."
            )
        tool = tools[name]
        try:
            asked = tool.arguments.model_validate(arguments)
            return await tool.call(asked, client)
        except ValidationError as error:
            raise ToolFailed(refusals.in_words(error.errors())) from None
        except HTTPException as error:
            raise ToolFailed(str(error.detail)) from None
        except refusals.OUR_ERRORS as error:
            raise ToolFailed(refusals.refusal_of(error).detail) from None

    async def find(
        self, asked: SearchPhotos | SimilarPhotos, client: str
    ) -> list[Part]:
        """What is known of each photo, and then pictures of the first ones."""
        answer = await self.searches.answer(asked.search(), client)
        parts: list[Part] = [_as_json(answer)]
        for hit in answer.results[: asked.pictures]:
            parts += [hit.filename, await self._picture(hit)]
        return parts

    async def get_photo(self, asked: GetPhoto, client: str) -> list[Part]:
        """What is known of it, and its picture."""
        name = asked.filename
        size = await size_in(self.thumbnails.files, name)
        record = await asyncio.to_thread(find_record, self.board, name, size)
        picture = await self.thumbnails.respond(
            name, asked.size, record.version, ""
        )
        known = _known(record) | {"file_bytes": record.file_bytes}
        return [json.dumps(known, ensure_ascii=False), bytes(picture.body)]

    async def _picture(self, hit: Hit) -> Part:
        """A small one; a sentence if there is none, so that the others come."""
        try:
            picture = await self.thumbnails.respond(
                hit.filename, SMALL, hit.version, ""
            )
        except HTTPException as error:
            return str(error.detail)
        except refusals.OUR_ERRORS as error:
            return refusals.refusal_of(error).detail
        return bytes(picture.body)


def _as_json(answer: SearchResponse) -> str:
    """The photos of an answer, and how it goes on."""
    told: dict[str, Any] = {
        "photos": [_known(hit) for hit in answer.results],
        "more": answer.more,
    }
    if answer.more:
        told["next_offset"] = answer.next_offset
    if answer.fits is False:
        told["note"] = "None of them fits well: perhaps there is no such photo."
    if answer.named:
        told["named_so"] = [hit.filename for hit in answer.named]
    return json.dumps(told, ensure_ascii=False)


def _known(hit: Hit) -> dict[str, Any]:
    """What helps to tell one photo from another."""
    fields: Iterable[str] = (
        "filename",
        "width",
        "height",
        "taken",
        "details",
        "why",
        "matches",
    )
    known = hit.model_dump(mode="json", include={*fields}, exclude_none=True)
    if hit.score is not None:
        known["score"] = round(hit.score, 4)
    return known
