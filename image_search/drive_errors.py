"""What is wrong with a folder of Google Drive, in a sentence that says what to do.

Of what Google answers, only its own short words for it are repeated.
"""

import json
import re

from image_search.bucket_addresses import DRIVE, INSTEAD, BucketAddress
from image_search.bucket_errors import BucketError, ObjectChanged, ObjectMissing

KEYS = INSTEAD[DRIVE]
NO_KEYS = f"can't be opened without credentials: {KEYS}"
UNREADABLE_KEYS = (
    "can't be opened, for the file that GOOGLE_APPLICATION_CREDENTIALS names"
    " can't be read: see to its path, and to who may read it"
)
NO_ACCOUNT = (
    "can't be opened, for the file that GOOGLE_APPLICATION_CREDENTIALS names"
    " is no service account's key: make one in Google's console, as JSON"
)
REFUSED = (
    "can't be opened, for the key of {email} is refused ({code}): make a new"
    " one, and see to this machine's clock"
)
AWAY = "can't be reached: see to the network"
NO_ENDPOINT = (
    "can't be opened, for GOOGLE_DRIVE_ENDPOINT is no address: take it out"
)
NO_FOLDER = "is no folder: name the id that stands in a folder's address"
IN_THE_BIN = "lies in the bin of Google Drive: take it out"
INCOMPLETE = "could not be listed as a whole: Google left some of it out"
UNKNOWN = "can't be read: what answers is not Google Drive"
NOT_SHARED = (
    "is not there, or not shared with {email} ({code}): share the folder"
    " with that address"
)
LIMITED = (
    "is asked for more than Google allows ({code}): set a longer ?refresh="
)
NOT_ENABLED = (
    "can't be opened, for the Google Drive API is not enabled ({code}): enable"
    " it in the project of {email}"
)
DENIED = "denies access ({code}): let {email} see and download what is in it"
OTHER_ANSWER = "can't be read: Google answers {code}"
# By Google's own word for it.
SAID = {
    "accessNotConfigured": NOT_ENABLED,
    "SERVICE_DISABLED": NOT_ENABLED,
    "dailyLimitExceeded": LIMITED,
    "downloadQuotaExceeded": LIMITED,
    "rateLimitExceeded": LIMITED,
    "sharingRateLimitExceeded": LIMITED,
    "userRateLimitExceeded": LIMITED,
}
# By the answer's number.
ANSWERS = {401: REFUSED, 403: DENIED, 404: NOT_SHARED, 429: LIMITED}
# 416: it has become shorter than the part that was asked for.
KINDS = {404: ObjectMissing, 416: ObjectChanged}
# What may be otherwise a moment later.
PASSING = {"rateLimitExceeded", "userRateLimitExceeded", "backendError"}
PASSING_ANSWERS = {408, 429, 500, 502, 503, 504}
WORD = re.compile(r"[A-Za-z_]{1,60}")


def failure(
    address: BucketAddress, reason: str, email: str = "", code: str = ""
) -> BucketError:
    """An error that says so; nothing secret is in it."""
    filled = reason.format(email=email or "the service account", code=code)
    return BucketError(f"IMAGE_DIR={address} {filled}.")


def answer_failure(
    address: BucketAddress, status: int, word: str, email: str
) -> BucketError:
    """An error about what Google answers."""
    reason = SAID.get(word) or ANSWERS.get(status, OTHER_ANSWER)
    error = failure(address, reason, email, f"{status} {word}".strip())
    return KINDS.get(status, BucketError)(*error.args)


def is_passing(status: int, word: str) -> bool:
    """Whether it may be otherwise a moment later."""
    return status in PASSING_ANSWERS or word in PASSING


def word_of(content: bytes) -> str:
    """Google's own word for what is wrong, or nothing."""
    try:
        error = json.loads(content)["error"]
        found = error["errors"][0]["reason"]
    except (LookupError, TypeError, ValueError):
        return ""
    is_word = isinstance(found, str) and WORD.fullmatch(found)
    return found if is_word else ""
