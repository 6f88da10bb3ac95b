"""The follower sees to it that the index looks when something has changed."""

import asyncio
from typing import Any

from image_search.follow import Follower
from image_search.sources import PhotoFolder
from tests.harness import eventually
from tests.unit.folder_world import FakeCocoIndex, World, make_index


def test_changes_are_followed(world: World) -> None:
    """An index that follows brings in what comes, at once, and goes on after errors."""
    index = world.index()
    follower = Follower(index, refresh_seconds=0.3)
    path = world.folder.path

    async def scenario() -> None:
        following = asyncio.create_task(follower.run())

        async def holds(*names: str) -> None:
            await asyncio.to_thread(
                eventually, lambda: {*world.shown()} == {*names}
            )

        await holds("cat.jpg", "trips/dog.jpg")
        world.write("new.jpg", "new")
        await holds("cat.jpg", "trips/dog.jpg", "new.jpg")
        (path / "cat.jpg").unlink()
        await holds("trips/dog.jpg", "new.jpg")
        away = path.rename(path.with_name("away"))
        await asyncio.to_thread(eventually, lambda: index.progress.last_error)
        away.rename(path)
        world.write("back.jpg", "back")
        await holds("trips/dog.jpg", "new.jpg", "back.jpg")
        assert index.progress.last_change is not None
        await asyncio.to_thread(
            eventually, lambda: index.progress.last_error is None
        )
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    asyncio.run(scenario())


def test_what_nobody_tells_of_is_polled_for(world: World) -> None:
    """Where the system tells of no change, a look every REFRESH_SECONDS finds it."""

    class UnwatchedFolder(PhotoFolder):
        async def watch(self, pause: float) -> Any:
            raise OSError("inotify is used up")
            yield  # it is a generator

    folder = UnwatchedFolder(world.folder.address)
    cocoindex = FakeCocoIndex(folder, world.store)
    index = make_index(folder, world.store, cocoindex, world.settings)
    follower = Follower(index, refresh_seconds=0.1)

    async def scenario() -> None:
        following = asyncio.create_task(follower.run())
        await asyncio.to_thread(eventually, lambda: len(world.shown()) == 2)
        world.write("new.jpg", "new")
        await asyncio.to_thread(eventually, lambda: "new.jpg" in world.shown())
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    asyncio.run(scenario())
