"""Searches to begin with, over HTTP."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from image_search.turns import SearchTurns

router = APIRouter()


class Examples(BaseModel):
    """Words that fit some of the photos well."""

    examples: list[str] = Field(
        description="Three of them at most; none until the"
        " photos are known, and where nothing fits."
    )


@router.get("/examples")
async def examples(request: Request) -> Examples:
    """What may be searched for, for people who come new."""
    searches: SearchTurns = request.app.state.searches
    found = searches.searcher.remarks.floor.examples
    return Examples(examples=found)
