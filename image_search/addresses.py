"""Where photos lie, as IMAGE_DIR says it: in one place or several, each with a name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from image_search.bucket_addresses import (
    BucketAddress,
    Named,
    is_url,
    parse_url,
    split_places,
)

LONGEST_NAME = 60  # characters


@dataclass(frozen=True)
class Address(Named):
    """A folder."""

    path: Path
    name: str = ""

    @property
    def own_name(self) -> str:
        """What it is called if nothing else is said."""
        return self.path.name

    @property
    def where(self) -> str:
        return str(self.path)

    def called(self, name: str) -> "Address":
        return replace(self, name=name)

    def __str__(self) -> str:
        return f"{self.name}={self.path}" if self.name else str(self.path)


PlaceAddress = Address | BucketAddress


def parse_addresses(
    text: str, absolute: Callable[[Path], Path]
) -> tuple[PlaceAddress, ...]:
    """Read one place or several, divided like PATH; raises ValueError.

    Each may have a name before it, as in `family=/mnt/photos`. Of several, one
    without is called as its folder is. `absolute` completes a path.
    """
    if absolute(Path(text)).is_dir():
        # Whatever signs are in its name.
        return (Address(absolute(Path(text))),)
    parts = split_places(text)
    found = [_read_address(part, absolute) for part in parts if part]
    if not found:
        raise ValueError("it names no folder")
    if len(found) > 1:
        found = [
            address if address.name else address.called(_own_name(address))
            for address in found
        ]
    _refuse_same_names(found)
    _refuse_nested(found)
    return tuple(found)


def _read_address(part: str, absolute: Callable[[Path], Path]) -> PlaceAddress:
    if is_url(part):
        return _read_bucket(part)
    whole = absolute(Path(part))
    name, sign, path = part.partition("=")
    # A path may have the sign in it.
    if not sign or "/" in name or whole.exists():
        return Address(whole)
    name, path = name.strip(), path.strip()
    if not path:
        raise ValueError(f"{part!r} names no folder")
    _check_name(name)
    return Address(absolute(Path(path)), name)


def _read_bucket(part: str) -> BucketAddress:
    name, sign, url = part.partition("=")
    if not sign or "/" in name:
        return parse_url(part)
    _check_name(name.strip())
    return parse_url(url.strip()).called(name.strip())


def _own_name(address: PlaceAddress) -> str:
    name = address.own_name
    try:
        _check_name(name)
    except ValueError as error:
        raise ValueError(
            f"{error}: give {address.where} a name, such as"
            f" photos={address.where}"
        ) from None
    return name


def _check_name(name: str) -> None:
    """Raise ValueError where photos could not be called by it."""
    if not name or name.startswith(".") or not name.isprintable():
        raise ValueError(f"{name!r} is no name for a place")
    if len(name) > LONGEST_NAME:
        raise ValueError(
            f"{name!r} is too long a name for a place: {LONGEST_NAME}"
            " characters at most"
        )


def _refuse_same_names(addresses: Sequence[PlaceAddress]) -> None:
    names = [address.name for address in addresses]
    for address in addresses:
        if names.count(address.name) > 1:
            raise ValueError(
                f"two places are called {address.name}: give one another name,"
                f" such as other={address.where}"
            )


def _refuse_nested(addresses: Sequence[PlaceAddress]) -> None:
    for one in addresses:
        for other in addresses:
            if one is other or not _lies_in(one, other):
                continue
            where = (
                "is named twice"
                if one.where == other.where
                else (f"lies in {other.where}")
            )
            raise ValueError(
                f"{one.where} {where}: its photos would be found twice"
            )


def _lies_in(one: PlaceAddress, other: PlaceAddress) -> bool:
    if isinstance(one, Address) and isinstance(other, Address):
        return one.path.is_relative_to(other.path)
    if isinstance(one, BucketAddress) and isinstance(other, BucketAddress):
        is_below = f"{one.where}/".startswith(f"{other.where}/")
        return is_below and one.endpoint == other.endpoint
    return False
