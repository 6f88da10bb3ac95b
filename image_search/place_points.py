"""The points of one place, of all that a store holds."""

from collections.abc import Collection

from image_search.filters import EVERYTHING, Filter, lies_in
from image_search.store import Store


class PlacePoints:
    """What a place has in a store.

    Others may keep theirs there too.
    """

    def __init__(self, store: Store, place: str) -> None:
        self.store = store
        self.of_place = lies_in(place)

    def count(self, where: Filter = EVERYTHING) -> int:
        """How many photos a filter lets through."""
        return self.store.count(self.of_place & where)

    def names(self, where: Filter, limit: int) -> set[str]:
        """The names of so many of these photos."""
        where = self.of_place & where
        return self.store.names(where, limit)

    def find_out(self, photos: Collection[str]) -> None:
        """Look into why they are not those of these photos.

        `photos`: their names.
        """
        self.store.find_out(photos, self.of_place)
