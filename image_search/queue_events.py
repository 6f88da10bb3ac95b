"""An SQS queue that S3 sends its events to: when something has changed in a bucket.

obstore knows no queues: boto3 does, the extra `s3`. A message is not taken for what a
bucket holds; it only says that a look at it is due.
"""

import asyncio
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from image_search.bucket_addresses import BucketAddress

WAIT = (
    20  # seconds until the queue says that there is nothing; it allows no more
)
BATCH = 10  # messages, likewise
# Of many changes in a row the first few seconds are waited for, as in a folder.
LONGEST_WAIT = 2.0
NEEDS_BOTO3 = (
    "sqs_queue_url needs `pip install boto3`: do that, or take it out."
)


class QueueError(OSError):
    """The queue can't be read; says why."""


class EventQueue:
    """The messages of a queue, which stay in it until they are deleted.

    Every method raises QueueError.
    """

    def __init__(self, address: BucketAddress) -> None:
        self.address = address
        self.url = address.sqs_queue_url
        self._client: Any = None

    def check(self) -> None:
        """Whether it could be asked at all: nothing is asked of it yet."""
        self._get_client()

    async def receive(self) -> tuple[bool, list[str]]:
        """Wait for messages: whether one is about this place, and a handle of each.

        Waits in a thread that keeps nothing from ending.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[tuple[bool, list[str]]] = loop.create_future()

        def set_result(result: Any, error: Exception | None) -> None:
            if done.done():
                return  # nobody waits any more
            if error:
                done.set_exception(error)
            else:
                done.set_result(result)

        def run() -> None:
            result, problem = None, None
            try:
                result = self._receive()
            except Exception as error:  # noqa: BLE001, it is raised where it is waited for
                problem = error
            with suppress(RuntimeError):  # the app has ended
                loop.call_soon_threadsafe(set_result, result, problem)

        threading.Thread(target=run, daemon=True).start()
        return await done

    def delete(self, handles: list[str]) -> None:
        """Have messages not come again: what they were about has been seen."""
        for start in range(0, len(handles), BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": handle}
                for number, handle in enumerate(handles[start : start + BATCH])
            ]
            self._ask("delete_message_batch", Entries=entries)

    def _receive(self) -> tuple[bool, list[str]]:
        messages = self._receive_some(WAIT)
        deadline = time.monotonic() + LONGEST_WAIT
        more = messages
        while more and time.monotonic() < deadline:
            more = self._receive_some(1)
            messages += more
        bodies = [str(one.get("Body", "")) for one in messages]
        is_news = any(concerns(self.address, body) for body in bodies)
        return is_news, [str(one["ReceiptHandle"]) for one in messages]

    def _receive_some(self, wait: int) -> list[dict[str, Any]]:
        answer = self._ask(
            "receive_message", MaxNumberOfMessages=BATCH, WaitTimeSeconds=wait
        )
        return list(answer.get("Messages", []))

    def _ask(self, method: str, **arguments: Any) -> dict[str, Any]:
        client = self._get_client()
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = getattr(client, method)(QueueUrl=self.url, **arguments)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            raise QueueError(self._sentence(f"refuses ({code})")) from None
        except BotoCoreError as error:
            what = f"can't be read ({type(error).__name__})"
            raise QueueError(self._sentence(what)) from None
        return dict(answer)

    def _get_client(self) -> Any:
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            raise QueueError(NEEDS_BOTO3) from None
        if self._client is None:
            split = urlsplit(self.url)
            region = re.match(r"sqs\.([a-z0-9-]+)\.", split.netloc)
            self._client = boto3.client(
                "sqs",
                endpoint_url=f"{split.scheme}://{split.netloc}",
                region_name=region[1] if region else self._region(),
                config=Config(connect_timeout=5, retries={"max_attempts": 1}),
            )
        return self._client

    def _region(self) -> str:
        names = ("AWS_REGION", "AWS_DEFAULT_REGION")
        found = [self.address.region, *map(os.environ.get, names)]
        return next(filter(None, found), "us-east-1")

    def _sentence(self, what: str) -> str:
        return (
            f"The queue of {self.address} {what}: the bucket is looked at every"
            f" {self.address.refresh:g} s meanwhile"
        )


def concerns(address: BucketAddress, body: str) -> bool:
    """Whether a message is about what lies in a place; so is one of another form."""
    try:
        objects = [*_objects(json.loads(body))]
    except (ValueError, TypeError, KeyError, AttributeError):
        return True
    below = f"{address.below}/" if address.below else ""
    return any(
        bucket == address.bucket and key.startswith(below)
        for bucket, key in objects
    )


def _objects(message: Any) -> Iterator[tuple[str, str]]:
    """The buckets and keys that a message names; raises KeyError and its like."""
    if "Message" in message:  # of SNS, which has the other one in it
        yield from _objects(json.loads(message["Message"]))
    elif "detail" in message:  # of EventBridge
        detail = message["detail"]
        yield detail["bucket"]["name"], detail["object"]["key"]
    elif message.get("Event") != "s3:TestEvent":
        for record in message["Records"]:
            where = record["s3"]
            key = unquote_plus(where["object"]["key"])
            yield where["bucket"]["name"], key
