"""What is wrong with a bucket, in a sentence that says what to do.

What libraries say has addresses in it, signed ones among them, and whole answers of
servers, keys among them: only what is named here is taken from that.
"""

import re

from image_search.bucket_addresses import AZURE, INSTEAD, S3, BucketAddress


class BucketError(OSError):
    """A bucket, or what is in it, can't be had; says why, and what to do."""


class ObjectMissing(BucketError):
    """There is no such object."""


class ObjectChanged(BucketError):
    """It is not the version that was asked for."""


class OddName(BucketError):
    """An object has a name that is none, such as `a//b.jpg`."""


NOT_THERE = "is not there: see to its name, and to where it lies"
REGION = "lies in another region: write ?region=… behind it"
EXPIRED = "can't be opened, for its token has expired ({code}): {keys}"
REFUSED = "can't be opened, for its key is refused ({code}): {keys}"
# By the server's own word for it.
SAID = {
    "NoSuchBucket": NOT_THERE,
    "ContainerNotFound": NOT_THERE,
    "ContainerBeingDeleted": NOT_THERE,
    "AuthorizationHeaderMalformed": REGION,
    "IllegalLocationConstraintException": REGION,
    "PermanentRedirect": REGION,
    "ExpiredToken": EXPIRED,
    "TokenRefreshRequired": EXPIRED,
    "AuthenticationFailed": REFUSED,
    "InvalidAccessKeyId": REFUSED,
    "InvalidAuthenticationInfo": REFUSED,
    "InvalidToken": REFUSED,
    "SignatureDoesNotMatch": REFUSED,
    "RequestTimeTooSkewed": "can't be opened: this machine's clock is wrong",
}
# By the answer's number.
ANSWERS = {
    401: "can't be opened without credentials ({code}): {keys}",
    403: "denies access ({code}): its key needs {rights}",
}
# By what stands somewhere in the message.
SIGNS = {
    # Where machines of a cloud are asked for their credentials.
    "169.254.169.254": "can't be opened without credentials: {keys}",
    "169.254.170.2": "can't be opened without credentials: {keys}",
    "without LOCATION": REGION,
    "HTTP error": "can't be reached: see to the network, and to its endpoint",
}
OTHER_ANSWER = "can't be read: its server answers {code}"
OTHER = "can't be opened: {keys}, and see to its address"
RIGHTS = {
    S3: "s3:ListBucket and s3:GetObject",
    AZURE: "to list and to read blobs",
}


def describe(address: BucketAddress, error: Exception) -> str:
    """A sentence on what went wrong; nothing secret is in it."""
    text = str(error)
    code, status = _code(text), _status(text)
    reason = SAID.get(code) or next(
        (SIGNS[sign] for sign in SIGNS if sign in text), ""
    )
    if status and not reason:
        reason = ANSWERS.get(status, OTHER_ANSWER)
    filled = (reason or OTHER).format(
        code=f"{status} {code}".strip(),
        keys=INSTEAD[address.kind],
        rights=RIGHTS[address.kind],
    )
    return f"IMAGE_DIR={address} {filled}."


def is_of_bucket(error: Exception) -> bool:
    """Whether it is the bucket that there is not."""
    return SAID.get(_code(str(error))) == NOT_THERE


def odd_name(error: Exception) -> str:
    """The name that is none."""
    found = re.search(r'Path "([^"]*)"', str(error))
    return found[1] if found else ""


def _code(text: str) -> str:
    """The server's own word for it."""
    found = re.search(r"<Code>([A-Za-z.]{1,60})</Code>", text)
    return found[1] if found else ""


def _status(text: str) -> int:
    found = re.search(r"status code: (\d{3})", text)
    return int(found[1]) if found else 0
