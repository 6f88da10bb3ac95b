"""What CocoIndex is shown in place of a folder of which something is away.

That is links to all that is there, and an empty photo, older than any, for each that is
away. CocoIndex never looks at a photo that has become older, so it leaves the point of
each as it is.
"""

import contextlib
import os
import shutil
import tempfile
import weakref
from pathlib import Path, PurePosixPath

from image_search.listing import STAND_IN


class StandIn:
    """A folder that looks like another one, with files in place of what is away."""

    def __init__(self, original: Path) -> None:
        self.original = original
        # Hidden, so that it is never taken for a folder of photos itself.
        self.path = Path(tempfile.mkdtemp(prefix=".image-search-"))
        # Called at the end of the program at the latest.
        self.close = weakref.finalize(
            self, shutil.rmtree, self.path, ignore_errors=True
        )
        # Where each link leads; None for a file in place of a photo.
        self._made: dict[str, str | None] = {}

    def make(self, away: frozenset[str], kept: frozenset[str]) -> None:
        """Bring it up to date; raises OSError.

        `away`: folders, and photos in others; `kept`: photos of these, in the index.
        """
        wanted = self._links(away) | dict.fromkeys(kept)
        for name, _ in self._made.items() - wanted.items():
            (self.path / name).unlink(missing_ok=True)
            del self._made[name]
        for name, target in wanted.items() - self._made.items():
            place = self.path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if target is None:
                place.write_bytes(STAND_IN)
                os.utime(place, (0, 0))
            else:
                shutil.rmtree(place, ignore_errors=True)  # of an absence before
                place.symlink_to(target)
            self._made[name] = target

    def _links(self, away: frozenset[str]) -> dict[str, str | None]:
        """Where each entry beside what is away leads."""
        opened = {
            str(parent)
            for item in away
            for parent in PurePosixPath(item).parents
        }
        links: dict[str, str | None] = {}
        for folder in opened:
            with contextlib.suppress(OSError):  # it has gone
                for entry in os.scandir(self.original / folder):
                    name = os.path.normpath(f"{folder}/{entry.name}")
                    is_hidden = entry.name.startswith(".")
                    if not is_hidden and name not in away | opened:
                        links[name] = entry.path
        return links
