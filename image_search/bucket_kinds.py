"""Opens what an address names, by its kind."""

from image_search.bucket_addresses import DRIVE, BucketAddress
from image_search.bucket_errors import BucketError
from image_search.buckets import Bucket
from image_search.remote_files import RemoteFiles


def open_remote(address: BucketAddress) -> RemoteFiles:
    """Nothing is asked of it yet. Raises BucketError where it can't be opened."""
    if address.kind != DRIVE:
        return Bucket.open(address)
    try:
        from image_search.drive import DriveFolder
    except ImportError:
        raise BucketError(
            f"IMAGE_DIR={address} needs `pip install google-auth httpx`."
        ) from None
    return DriveFolder.open(address)
