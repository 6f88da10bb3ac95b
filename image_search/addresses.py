"""Where photos lie, as IMAGE_DIR says it: in one place or several, each with a name."""

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LONGEST_NAME = 60  # characters
# CocoIndex's names for flows have room for so many of these.
PLAIN = re.compile(r"[A-Za-z0-9_]{1,12}")


@dataclass(frozen=True)
class Address:
    """A place: the folder that it is, and the name that its photos carry.

    Without a name it is the only one, and its photos' names begin below it.
    """

    path: Path
    name: str = ""

    @property
    def prefix(self) -> str:
        """What the names of its photos begin with."""
        return f"{self.name}/" if self.name else ""

    @property
    def label(self) -> str:
        """What a line that is about it begins with."""
        return f"{self.name}: " if self.name else ""

    @property
    def key(self) -> str:
        """Its name with letters, digits and underscores alone, 12 at most."""
        if not self.name or PLAIN.fullmatch(self.name):
            return self.name
        return hashlib.sha256(self.name.encode()).hexdigest()[:12]

    def __str__(self) -> str:
        return f"{self.name}={self.path}" if self.name else str(self.path)


def parse_addresses(
    text: str, absolute: Callable[[Path], Path]
) -> tuple[Address, ...]:
    """Read one place or several, divided like PATH; raises ValueError.

    Each may have a name before it, as in `family=/mnt/photos`. Of several, one
    without is called as its folder is. `absolute` completes a path.
    """
    if absolute(Path(text)).is_dir():
        # Whatever signs are in its name.
        return (Address(absolute(Path(text))),)
    parts = [part.strip() for part in text.split(os.pathsep)]
    found = [_read_address(part, absolute) for part in parts if part]
    if not found:
        raise ValueError("it names no folder")
    if len(found) > 1:
        found = [
            address
            if address.name
            else Address(address.path, _own_name(address))
            for address in found
        ]
    _refuse_same_names(found)
    _refuse_nested(found)
    return tuple(found)


def _read_address(part: str, absolute: Callable[[Path], Path]) -> Address:
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


def _own_name(address: Address) -> str:
    name = address.path.name
    try:
        _check_name(name)
    except ValueError as error:
        raise ValueError(
            f"{error}: give {address.path} a name, such as"
            f" photos={address.path}"
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


def _refuse_same_names(addresses: list[Address]) -> None:
    names = [address.name for address in addresses]
    for address in addresses:
        if names.count(address.name) > 1:
            raise ValueError(
                f"two places are called {address.name}: give one another name,"
                f" such as other={address.path}"
            )


def _refuse_nested(addresses: list[Address]) -> None:
    for one in addresses:
        for other in addresses:
            if one is other or not one.path.is_relative_to(other.path):
                continue
            where = (
                "is named twice"
                if one.path == other.path
                else (f"lies in {other.path}")
            )
            raise ValueError(
                f"{one.path} {where}: its photos would be found twice"
            )
