"""Buckets as IMAGE_DIR names them: `s3://bucket/prefix?region=…`."""

import hashlib
import math
import re
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

S3, AZURE, DRIVE = "s3", "az", "gdrive"
FORMS = {
    S3: "s3://bucket/prefix?region=…",
    AZURE: "az://account/container/prefix",
    DRIVE: "gdrive://folder-id",
}
# What may stand behind the question mark.
OPTIONS = {
    S3: ("region", "endpoint", "sqs_queue_url", "refresh"),
    AZURE: ("endpoint", "refresh"),
    DRIVE: ("refresh",),
}
URLS = ("endpoint", "sqs_queue_url")
# Where a key or a token belongs.
INSTEAD = {
    S3: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    AZURE: "set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN",
    DRIVE: "set GOOGLE_APPLICATION_CREDENTIALS to a service account's key file",
}
# Seconds between two looks: each costs money.
REFRESH = 60.0
LEAST_REFRESH = 1.0
# CocoIndex's names for flows have room for so many of these.
PLAIN = re.compile(r"[A-Za-z0-9_]{1,12}")

# With a name before it, perhaps.
URL = re.compile(r"(?:[^/=]*=\s*)?[a-z][a-z0-9+.-]*://", re.IGNORECASE)
USER = r"(?:[^/@]*@)?"  # and a password, which is refused
# In a list that is divided by colons: an address, with one in its query, perhaps.
WHOLE = rf"{URL.pattern}{USER}(?:https?://{USER}[^:/&]*(?::\d+)?|[^:])*"
PART = re.compile(rf"\s*({WHOLE}|[^:]*)(?::|$)", re.IGNORECASE)
BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._$-]{0,254}")
# A value with other signs may have a password or a token in it.
SHOWN = re.compile(r"[\w.:/=~-]*")
ACCOUNT = re.compile(r"[a-z0-9]{1,24}")
FOLDER_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")


class Named:
    """A place, by the name that its photos carry.

    Without a name it is the only one, and its photos' names begin below it.
    """

    name: str

    @property
    def prefix(self) -> str:
        """What the names of its photos begin with."""
        return f"{self.name}/" if self.name else ""

    @property
    def label(self) -> str:
        """What a line that is about it begins with."""
        return f"{self.name}: " if self.name else ""

    @property
    def key(self) -> str:
        """Its name with letters, digits and underscores alone, 12 at most."""
        if not self.name or PLAIN.fullmatch(self.name):
            return self.name
        return hashlib.sha256(self.name.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class BucketAddress(Named):
    """A bucket, or what lies below a prefix in it; or a folder of Google Drive.

    Nothing in it is secret.
    """

    kind: str  # S3, AZURE or DRIVE
    bucket: str  # or the folder's id
    account: str = ""  # of Azure
    below: str = ""  # the prefix, without slashes around it
    name: str = ""
    region: str = ""
    endpoint: str = ""
    sqs_queue_url: str = ""
    refresh: float = REFRESH

    @property
    def own_name(self) -> str:
        """What it is called if nothing else is said."""
        return self.below.rpartition("/")[2] or self.bucket

    @property
    def where(self) -> str:
        """Its address, without what stands behind a question mark."""
        parts = (self.account, self.bucket, self.below)
        return f"{self.kind}://" + "/".join(filter(None, parts))

    def called(self, name: str) -> "BucketAddress":
        return replace(self, name=name)

    def __str__(self) -> str:
        return f"{self.name}={self.where}" if self.name else self.where


def split_places(text: str) -> list[str]:
    """The parts of a list that is divided by colons, addresses left whole."""
    return [found[1].strip() for found in PART.finditer(text)]


def is_url(part: str) -> bool:
    """Whether it is written as an address, of whatever kind."""
    return URL.match(part) is not None


def parse_url(url: str) -> BucketAddress:
    """Read an address that has no name before it; raises ValueError."""
    split = urlsplit(url)
    kind = split.scheme
    if kind not in FORMS:
        forms = " or ".join(FORMS.values())
        raise ValueError(f"{kind}:// is no kind of place: use {forms}")
    if "@" in split.netloc:
        raise ValueError(
            f"{without_secrets(url)} has a password in it, which others would see:"
            f" take it out, and {INSTEAD[kind]}"
        )
    options = _read_options(split)
    refresh = _read_refresh(options)
    account, bucket, below = _read_path(split)
    return BucketAddress(
        kind, bucket, account, below, refresh=refresh, **options
    )


def without_secrets(text: str) -> str:
    """Places as they were written, with dots in place of what may be secret."""
    text = re.sub(r"//[^/@]*@", "//…@", text)
    plain = {name for names in OPTIONS.values() for name in names}

    def show(found: re.Match[str]) -> str:
        is_shown = found[2] in plain and SHOWN.fullmatch(found[3])
        return found[0] if is_shown else f"{found[1]}{found[2]}=…"

    return re.sub(r"([?&])([^=&]*)=([^&]*)", show, text)


def _read_options(split: SplitResult) -> dict[str, str]:
    shown = without_secrets(split.geturl())
    kind = split.scheme
    options: dict[str, str] = {}
    for name, value in parse_qsl(split.query, keep_blank_values=True):
        if name not in OPTIONS[kind]:
            raise ValueError(
                f"{shown} has {name}, which is none of"
                f" {', '.join(OPTIONS[kind])}; for a key or a token"
                f" {INSTEAD[kind]}"
            )
        if name in URLS and not _is_plain_url(value):
            raise ValueError(
                f"{name} of {shown} is to be an address such as"
                f" https://example.org; for a key or a token {INSTEAD[kind]}"
            )
        options[name] = value.strip()
    return options


def _is_plain_url(text: str) -> bool:
    split = urlsplit(text)
    has_more = split.query or split.fragment or "@" in split.netloc
    is_web = split.scheme in ("http", "https")
    return is_web and bool(split.hostname) and not has_more


def _read_refresh(options: dict[str, str]) -> float:
    """Take it from the options; raises ValueError."""
    text = options.pop("refresh", "")
    if not text:
        return REFRESH
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if LEAST_REFRESH <= seconds < math.inf:
        return seconds
    raise ValueError(
        f"refresh={text}: it is the seconds between two looks, 1 or more"
    )


def _read_path(split: SplitResult) -> tuple[str, str, str]:
    """The account, the bucket, and the prefix in it; raises ValueError."""
    account, bucket = "", split.netloc
    below = unquote(split.path).strip("/")
    if split.scheme == AZURE:
        account = bucket
        bucket, _, below = below.partition("/")
    parts = below.split("/") if below else []
    is_odd = any(part in ("", ".", "..") for part in parts)
    is_whole = BUCKET.fullmatch(bucket) and (
        split.scheme != AZURE or ACCOUNT.fullmatch(account)
    )
    if split.scheme == DRIVE:
        is_whole = None if below else FOLDER_ID.fullmatch(bucket)
    if is_odd or not is_whole or not below.isprintable():
        raise ValueError(
            f"{without_secrets(split.geturl())} is not written as"
            f" {FORMS[split.scheme]}"
        )
    return account, bucket, below
