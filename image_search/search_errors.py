"""Why a search can't be answered, or not yet."""


class SearchError(Exception):
    """A search that can't be answered as it was asked."""


class UnknownPhoto(SearchError):
    """No readable photo of that name is there."""

    def __init__(self, filename: str) -> None:
        super().__init__(f"No photo {filename} is in the index.")


class NotAmongResults(UnknownPhoto):
    """What others are asked around is no result."""

    def __init__(self, reason: str) -> None:
        SearchError.__init__(self, reason)


class NothingLeft(SearchError):
    """What is not wanted takes away all that was asked for."""

    def __init__(self) -> None:
        super().__init__(
            "minus and unlike take away all that was asked for: leave some out."
        )


class NotIndexedYet(SearchError):
    """Nothing was found, but photos are still being indexed."""
