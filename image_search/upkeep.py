"""Keeps up with an index that changes."""

import asyncio

from image_search.remarks import Remarks
from image_search.settings import logger
from image_search.status import StatusBoard
from image_search.store_errors import StoreError


async def keep_up(remarks: Remarks, board: StatusBoard) -> None:
    """Follow the status: names, counts, and the floor.

    It ends when the board is closed.
    """
    async for status in board.statuses():
        photos = board.progress.photos
        indexed = status.indexed
        try:
            await asyncio.to_thread(remarks.keep_up, photos, indexed)
        except StoreError as error:
            # The next status comes when it is back.
            logger.debug("The floor stays: %s", error)
