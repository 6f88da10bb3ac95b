"""When an index looks at its folder: at changes, and every so often."""

import asyncio
import contextlib
import time
from datetime import datetime

from image_search.index import Index
from image_search.settings import logger

# Seconds between two looks at a folder that can't be watched.
LONGEST_PAUSE = 5.0


class Follower:
    """Has an index follow its folder."""

    def __init__(self, index: Index, refresh_seconds: float) -> None:
        self.index = index
        self.progress = index.progress
        folder = index.folder
        self.refresh_seconds = folder.refresh_seconds(refresh_seconds)
        self._last_warning = ""

    async def run(self) -> None:
        """Sync at every change in the folder, every so often, and after an error."""
        pause = min(LONGEST_PAUSE, self.refresh_seconds)
        while True:
            await self.index.sync()
            try:
                await self._sync_at_changes(pause)
            except Exception as error:  # noqa: BLE001, of any type: gone, too large, odd
                reasons = getattr(error, "exceptions", [error])  # of a group
                self._warn_once(
                    f"Seeing changes every {pause:g} s only: {reasons[0]}"
                )
                await asyncio.sleep(pause)

    async def _sync_at_changes(self, pause: float) -> None:
        """Returns when the folder was gone and is back: it is to be watched anew."""
        due = 0.0  # at once: a change may have come before the watch was set up
        watch = self.index.folder.watch(pause)
        async with contextlib.aclosing(watch) as changes:
            async for is_change in changes:
                had_error = self.progress.last_error is not None
                if is_change:
                    self.progress.last_change = datetime.now()
                if (
                    is_change
                    or had_error
                    or self.index.retries_skipped
                    or time.monotonic() >= due
                ):
                    await self.index.sync()
                    due = self.progress.pass_began + self.refresh_seconds
                if had_error and self.progress.last_error is None:
                    return

    def _warn_once(self, message: str) -> None:
        if message != self._last_warning:
            self._last_warning = message
            logger.warning("%s", message)
