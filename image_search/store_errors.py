"""Why a store of points can't answer, whatever engine it is."""


class StoreError(Exception):
    """The store can't answer; never to be taken for an empty answer."""


class StoreUnavailable(StoreError):
    """The store is away, or refuses to answer.

    `details`: its own words.
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class CollectionMissing(StoreUnavailable):
    """The server has no collection of that name."""


class StoreRefuses(StoreUnavailable):
    """The store refuses until a person changes a setting.

    `setting`: what is in the way of Qdrant's strict
    mode, if that is it.
    """

    def __init__(
        self, message: str, details: str = "", setting: str = ""
    ) -> None:
        super().__init__(message, details)
        self.setting = setting


class ForeignPoint(StoreError):
    """The collection holds a point that this app did not make."""
