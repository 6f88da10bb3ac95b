"""Buckets of photos: what is in one, and its bytes, from S3 or Azure's blobs.

Keys and tokens come from the environment, by the names that their tools use too.
"""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, InvalidPathError, PreconditionError
from obstore.store import AzureStore, S3Store

from image_search.bucket_addresses import AZURE, INSTEAD, S3, BucketAddress
from image_search.bucket_errors import (
    BucketError,
    ObjectChanged,
    ObjectMissing,
    OddName,
    describe,
    is_of_bucket,
    odd_name,
)
from image_search.remote_files import PAGE, PIECE, Folder, RemoteFile, is_name

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.auth.boto3 import Boto3CredentialProvider
    from obstore.store import (
        AzureConfig,
        ClientConfig,
        ObjectStore,
        RetryConfig,
        S3Config,
    )

RETRY: "RetryConfig" = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=20),
}
# Where the environment says it.
ENDPOINTS = {
    S3: ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    AZURE: ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}


class Bucket:
    """A bucket, or what lies below a prefix in it.

    Every method raises BucketError, which says what is wrong and what to do.
    """

    def __init__(self, address: BucketAddress, store: "ObjectStore") -> None:
        self.address = address
        self.store = store

    @classmethod
    def open(cls, address: BucketAddress) -> "Bucket":
        """Nothing is asked of it yet. Raises BucketError where it can't be made."""
        with _errors_of(address):
            return cls(address, _make_store(address))

    def list(self) -> Iterator[RemoteFile]:
        """All that is in it; raises OddName where a name is one that can't be."""
        with self._errors():
            for page in obstore.list(self.store, chunk_size=PAGE):
                yield from map(_remote_file, page)

    def list_folder(self, folder: str) -> Folder:
        """What lies in a folder, and the folders in it; "" is the uppermost."""
        with self._errors():
            found = obstore.list_with_delimiter(self.store, folder or None)
        files = [_remote_file(one) for one in found["objects"]]
        return files, [*found["common_prefixes"]]

    def look_up(self, name: str) -> RemoteFile | None:
        """What is known of an object; None if there is none."""
        if not is_name(name):
            return None
        try:
            with self._errors():
                return _remote_file(obstore.head(self.store, name))
        except ObjectMissing:
            return None

    def read(
        self,
        name: str,
        begin: int = 0,
        end: int | None = None,
        version: str = "",
    ) -> bytes:
        """Its bytes from `begin` up to, but not with, `end`.

        Raises ObjectMissing, and ObjectChanged where it is not of the `version`.
        """
        self._check_name(name)
        if end is not None and end <= begin:
            return b""
        with self._errors():
            options = _options(begin, end, version)
            answer = obstore.get(self.store, name, options=options)
            return answer.bytes().to_bytes()

    async def stream(
        self,
        name: str,
        begin: int = 0,
        end: int | None = None,
        version: str = "",
    ) -> AsyncIterator[bytes]:
        """The same, as it comes."""
        self._check_name(name)
        if end is not None and end <= begin:
            return
        with self._errors():
            options = _options(begin, end, version)
            answer = await obstore.get_async(self.store, name, options=options)
            async for piece in answer.stream(min_chunk_size=PIECE):
                yield bytes(piece)

    def _check_name(self, name: str) -> None:
        if not is_name(name):
            raise ObjectMissing(f"IMAGE_DIR={self.address} has no such object.")

    def _errors(self) -> AbstractContextManager[None]:
        return _errors_of(self.address)


@contextmanager
def _errors_of(address: BucketAddress) -> Iterator[None]:
    """Have what goes wrong said in a sentence, without what is secret in it."""
    try:
        yield
    except FileNotFoundError as error:
        kind = BucketError if is_of_bucket(error) else ObjectMissing
        raise kind(describe(address, error)) from None
    except PreconditionError:
        raise ObjectChanged(f"{address} has another version by now") from None
    except InvalidPathError as error:
        raise OddName(odd_name(error)) from None
    except (BaseError, ValueError) as error:
        raise BucketError(describe(address, error)) from None


def _remote_file(found: "ObjectMeta") -> RemoteFile:
    modified = found["last_modified"].timestamp()
    tag = found["e_tag"] or f"{modified}-{found['size']}"
    return RemoteFile(found["path"], found["size"], modified, tag.strip('"'))


def _options(begin: int, end: int | None, version: str) -> "GetOptions":
    options: GetOptions = {}
    if end is not None:
        options["range"] = (begin, end)
    elif begin:
        options["range"] = {"offset": begin}
    if version:
        options["if_match"] = f'"{version}"'
    return options


def _make_store(address: BucketAddress) -> "ObjectStore":
    endpoint = address.endpoint or _endpoint_of(address.kind)
    client: ClientConfig = {
        "allow_http": endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=5),
        "read_timeout": timedelta(seconds=30),
        # Of a large photo, by a slow line.
        "timeout": timedelta(minutes=10),
    }
    if address.kind == S3:
        return _make_s3(address, endpoint, client)
    config: AzureConfig = {"account_name": address.account}
    if endpoint:
        config["endpoint"] = endpoint
    return AzureStore(
        address.bucket,
        prefix=address.below or None,
        config=config,
        client_options=client,
        retry_config=RETRY,
    )


def _make_s3(
    address: BucketAddress, endpoint: str, client: "ClientConfig"
) -> S3Store:
    config: S3Config = {}
    if address.region:
        config["region"] = address.region
    if endpoint:
        config["endpoint"] = endpoint
    return S3Store(
        address.bucket,
        prefix=address.below or None,
        config=config,
        client_options=client,
        retry_config=RETRY,
        credential_provider=_profile(address),
    )


def _endpoint_of(kind: str) -> str:
    """What the environment says."""
    values = (os.environ.get(name, "") for name in ENDPOINTS[kind])
    return next(filter(None, values), "")


def _profile(address: BucketAddress) -> "Boto3CredentialProvider | None":
    """What finds credentials as AWS's own tools do, if boto3 is there.

    Else obstore knows the environment, and the services of AWS's machines.
    """
    own = ("AWS_ACCESS_KEY_ID", "AWS_SKIP_SIGNATURE")
    if any(map(os.environ.get, own)):
        return None
    try:
        from botocore.exceptions import BotoCoreError
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        return None
    try:
        return Boto3CredentialProvider()
    except ValueError:  # it finds none
        return None
    except BotoCoreError as error:
        reason = type(error).__name__  # such as ProfileNotFound
        raise BucketError(
            f"IMAGE_DIR={address} can't be opened by AWS's profiles ({reason}):"
            f" mend them, or {INSTEAD[S3]}."
        ) from None
