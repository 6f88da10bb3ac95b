"""Whether places may be in one collection, and what an app alone with its Postgres has."""

import asyncio

import pytest

from image_search.own_places import OwnPlaces, refuse_nameless
from image_search.settings import StartupError


@pytest.mark.parametrize(
    ("places", "others"),
    [
        ([""], []),
        (["one"], []),
        (["one", "two"], ["three"]),
        ([], [""]),
    ],
)
def test_names_that_can_not_be_the_same(
    places: list[str], others: list[str]
) -> None:
    """Places with names go together; one without is alone."""
    refuse_nameless(places, others)


@pytest.mark.parametrize(
    ("places", "others", "said"),
    [
        ([""], ["two", "one"], "has photos of other places .one, two.: give"),
        (["one"], [""], "photos of another app"),
    ],
)
def test_names_that_may_be_the_same(
    places: list[str], others: list[str], said: str
) -> None:
    """A photo one/a.jpg would be the place's, or the other folder's: a sentence says what to do."""
    with pytest.raises(StartupError, match=said):
        refuse_nameless(places, others)


def test_who_is_alone_has_all(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody else can have its places, and it forgets what it likes."""

    async def run() -> None:
        places = OwnPlaces()
        async with places.setting_up(["one"]):
            assert places.former == ["one"]
            assert places.others == set()
        async with places.holding("two"):
            pass
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(places.keep(), 0.01)

    asyncio.run(run())
    assert not caplog.records
