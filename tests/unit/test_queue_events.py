"""A queue tells when a bucket has changed."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest

from image_search.photo_buckets import PhotoBucket
from image_search.queue_events import EventQueue, concerns
from tests.clouds import CloudBucket
from tests.unit.test_buckets import address_of

PLACE = address_of("s3://photos/my%20trips")


def event(bucket: str, key: str) -> str:
    where = {"bucket": {"name": bucket}, "object": {"key": key}}
    return json.dumps({"Records": [{"s3": where}]})


@pytest.mark.parametrize(
    ("body", "is_news"),
    [
        (event("photos", "my+trips/a.jpg"), True),
        (event("photos", "my%20trips/deep/a.jpg"), True),
        (event("photos", "my+trips2/a.jpg"), False),
        (event("other", "my+trips/a.jpg"), False),
        (json.dumps({"Message": event("photos", "my+trips/a.jpg")}), True),
        (json.dumps({"Message": event("photos", "a.jpg")}), False),
        (
            json.dumps(
                {
                    "detail": {
                        "bucket": {"name": "photos"},
                        "object": {"key": "my trips/a.jpg"},
                    }
                }
            ),
            True,
        ),
        (json.dumps({"Event": "s3:TestEvent"}), False),
        ("something else", True),
        ('{"Records": [1]}', True),
        ("[]", True),
        ("", True),
    ],
)
def test_a_message_is_about_a_place_or_not(body: str, is_news: bool) -> None:  # noqa: FBT001
    """As S3, SNS and EventBridge write them; of one that nobody knows a look is taken."""
    assert concerns(PLACE, body) is is_news


def test_a_change_is_told_until_it_was_seen(s3_bucket: CloudBucket) -> None:
    """A message leaves the queue only once what it was about has been looked at."""
    queue = s3_bucket.new_queue()
    address = address_of(s3_bucket.address("p", sqs_queue_url=queue.url))

    async def follow() -> None:
        watch: AsyncGenerator[bool] = PhotoBucket(address).watch(0.1)
        s3_bucket.put("p/a.jpg", b"abc")
        s3_bucket.put("p/b.jpg", b"abc")
        while not await anext(watch):
            pass
        assert queue.messages() > 0
        later = asyncio.ensure_future(anext(watch))
        while queue.messages():
            await asyncio.sleep(0.1)
        later.cancel()

    asyncio.run(asyncio.wait_for(follow(), 60))


def test_without_its_queue_a_bucket_is_still_looked_at(
    s3_bucket: CloudBucket, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once why changes are seen only every so often."""
    url = f"{s3_bucket.server}/123456789012/none"
    address = address_of(s3_bucket.address("p", sqs_queue_url=url))

    async def follow() -> None:
        watch = PhotoBucket(address).watch(0.01)
        for _ in range(3):
            assert await anext(watch) is False

    asyncio.run(follow())
    [said] = [record.getMessage() for record in caplog.records]
    assert "NonExistentQueue" in said
    assert "is looked at every 60 s meanwhile" in said


def test_the_queue_is_asked_for_nothing_at_the_start(
    s3_bucket: CloudBucket,
) -> None:
    """It may be away then."""
    address = address_of(
        s3_bucket.address("p", sqs_queue_url="https://nowhere.invalid/1/q")
    )
    EventQueue(address).check()
