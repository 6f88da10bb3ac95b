"""Places that IMAGE_DIR names no more.

Their photos leave the index.
"""

from collections.abc import Collection
from pathlib import Path

from image_search.addresses import Address
from image_search.filters import Condition, Filter, lies_in
from image_search.record import Record, record_file
from image_search.settings import Settings, logger
from image_search.store import Store


def former_places(settings: Settings) -> list[str]:
    """The names of those that were indexed here, and are not to be any more."""
    return [*_records(settings)]


def forget_former_places(
    settings: Settings,
    store: Store,
    free: Collection[str],
    others: Collection[str] = (),
) -> None:
    """Delete the points of those that were indexed here.

    `free`: those that no other process indexes by now. `others`: places that
    processes index besides. Raises StoreError.
    """
    names = {address.name for address in settings.image_dir}
    for place, file in _records(settings).items():
        where = _left_behind(place, {*names, *others})
        if place in free and (number := store.count(where)):
            logger.info(
                "IMAGE_DIR names %s no more: %d photos leave.",
                place or "a single folder",
                number,
            )
            store.delete(where)
        file.unlink()


def _records(settings: Settings) -> dict[str, Path]:
    """The files in which they are noted, by their names."""
    names = {address.name for address in settings.image_dir}
    found = {}
    for file in _record_files(settings):
        place = Record.load(file).place
        # One that is damaged does not tell the place that it is of.
        if place not in names and file == record_file(
            settings, _address(place)
        ):
            found[place] = file
    return found


def _record_files(settings: Settings) -> list[Path]:
    stem = f"indexed-{settings.qdrant_collection}"
    folder = settings.data_dir
    return [*folder.glob(f"{stem}.json"), *folder.glob(f"{stem}-*.json")]


def _address(place: str) -> Address:
    return Address(Path(), place)


def _left_behind(place: str, names: Collection[str]) -> Filter:
    """What a place has in the index, and no other one."""
    others = tuple(Condition("folders", equals=name) for name in names if name)
    return lies_in(place) if place else Filter(must_not=others)
