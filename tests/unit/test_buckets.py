"""Buckets: what is in one, and its bytes, from servers of their protocols."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from image_search.addresses import parse_addresses
from image_search.bucket_addresses import BucketAddress
from image_search.bucket_errors import (
    BucketError,
    ObjectChanged,
    ObjectMissing,
    OddName,
)
from image_search.buckets import Bucket
from tests.clouds import KEYS, CloudBucket


def address_of(text: str) -> BucketAddress:
    [address] = parse_addresses(text, Path)
    assert isinstance(address, BucketAddress)
    return address


def open_bucket(made: CloudBucket, below: str = "", **options: str) -> Bucket:
    return Bucket.open(address_of(made.address(below, **options)))


def test_everything_below_the_prefix_is_listed(
    cloud_bucket: CloudBucket,
) -> None:
    """And nothing beside it; each name as it is written, with size, time and version."""
    names = ["a.jpg", "deep/er/ä 😀.png", "50% #1?.gif", "a+b&c=d.jpg"]
    for name in names:
        cloud_bucket.put(f"photos/{name}", b"abc")
    cloud_bucket.put("photos2/no.jpg", b"abc")
    bucket = open_bucket(cloud_bucket, "photos")
    found = {file.name: file for file in bucket.list()}
    assert sorted(found) == sorted(names)
    for file in found.values():
        assert file.size == 3
        assert bucket.look_up(file.name) == file
        assert bucket.read(file.name) == b"abc"
    cloud_bucket.put("photos/a.jpg", b"abd")
    known = bucket.look_up("a.jpg")
    assert known is not None
    assert known.version != found["a.jpg"].version


def test_more_than_a_page_is_listed(s3_bucket: CloudBucket) -> None:
    """Servers tell a thousand names at a time."""
    for number in range(1005):
        s3_bucket.put(f"{number}.jpg", b"")
    assert len({*open_bucket(s3_bucket).list()}) == 1005


def test_a_part_is_read(cloud_bucket: CloudBucket) -> None:
    """From a byte up to another one, whole or piece by piece, and no more than that."""
    content = bytes(range(256)) * 4096
    cloud_bucket.put("a.jpg", content)
    bucket = open_bucket(cloud_bucket)

    async def stream(begin: int, end: int | None) -> bytes:
        pieces = bucket.stream("a.jpg", begin, end)
        return b"".join([piece async for piece in pieces])

    for begin, end in ((0, None), (5, None), (5, 9), (0, 2**30), (7, 7)):
        assert bucket.read("a.jpg", begin, end) == content[begin:end]
        assert asyncio.run(stream(begin, end)) == content[begin:end]


def test_a_version_is_read_or_none(cloud_bucket: CloudBucket) -> None:
    """What is asked for by its version is not given of another one."""
    cloud_bucket.put("a.jpg", b"one")
    bucket = open_bucket(cloud_bucket)
    known = bucket.look_up("a.jpg")
    assert known is not None
    assert bucket.read("a.jpg", 1, version=known.version) == b"ne"
    cloud_bucket.put("a.jpg", b"two")
    with pytest.raises(ObjectChanged):
        bucket.read("a.jpg", 1, version=known.version)


@pytest.mark.parametrize(
    "name", ["no.jpg", "", "/", "../x", "a//b", "a/./b", "\0", "\udcff", "a/"]
)
def test_what_is_not_there_is_none(
    cloud_bucket: CloudBucket, name: str
) -> None:
    """Nor is what can be no name."""
    cloud_bucket.put("a/b", b"abc")
    bucket = open_bucket(cloud_bucket)
    assert bucket.look_up(name) is None
    with pytest.raises(ObjectMissing):
        bucket.read(name)


def test_a_folder_is_listed_where_another_has_odd_names(
    s3_bucket: CloudBucket,
) -> None:
    """A name that is none ends the listing of all, but not that of another folder."""
    s3_bucket.put("good/a.jpg", b"abc")
    s3_bucket.put_odd("bad//b.jpg")
    bucket = open_bucket(s3_bucket)
    with pytest.raises(OddName, match=re.escape("bad//b.jpg")):
        list(bucket.list())
    assert [*bucket.list_folder("")[1]] == ["bad", "good"]
    files, folders = bucket.list_folder("good")
    assert ([one.name for one in files], folders) == (["good/a.jpg"], [])


def no_bucket(made: CloudBucket) -> str:
    return made.address().replace(made.name, f"{made.name}-no")


def no_server(made: CloudBucket) -> str:
    return made.address(endpoint="http://127.0.0.1:1")


def no_host(made: CloudBucket) -> str:
    return made.address(endpoint="http://nowhere.invalid")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (no_bucket, "is not there: see to its name"),
        (no_server, "can't be reached: see to the network"),
        (no_host, "can't be reached: see to the network"),
    ],
)
def test_what_is_wrong_is_said(
    cloud_bucket: CloudBucket,
    address: Callable[[CloudBucket], str],
    said: str,
) -> None:
    """In a sentence that names the place and what to do, and has nothing secret in it."""
    where = address_of(address(cloud_bucket))
    bucket = Bucket.open(where)
    for ask in (lambda: [*bucket.list()], lambda: bucket.read("a.jpg")):
        with pytest.raises(BucketError) as caught:
            ask()
        message = str(caught.value)
        assert message.startswith(f"IMAGE_DIR={where} {said}")
        assert not any(key in message for key in KEYS.values())


def test_denied_access_is_said(s3_bucket: CloudBucket) -> None:
    """With the server's own word for it, and the rights that the key needs."""
    s3_bucket.put("a.jpg", b"abc")
    s3_bucket.deny("a.jpg")
    with pytest.raises(BucketError, match=r"403.*its key needs s3:ListBucket"):
        open_bucket(s3_bucket).read("a.jpg")
