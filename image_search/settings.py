"""The settings, from the environment or `.env`: the only reader of both.

Import it before cocoindex, torch and transformers, which read COCOINDEX_*,
PYTORCH_* and HF_* when they are imported: `.env` is loaded here.
"""

import hashlib
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import click
from dotenv import load_dotenv
from pydantic import (
    AfterValidator,
    AliasChoices,
    AnyHttpUrl,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from image_search.addresses import Address, PlaceAddress, parse_addresses
from image_search.bucket_addresses import without_secrets
from image_search.forwarded import Network, parse_networks
from image_search.patterns import Patterns
from image_search.root_path import parse_root_path

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent
# In a wheel main.py and the built page lie in the package; else in a checkout.
IS_INSTALLED = (PACKAGE / "main.py").is_file()
PAGE = PACKAGE / "page" if IS_INSTALLED else ROOT / "frontend" / "dist"
# Where `.env` lies, and where relative paths start.
BASE = Path.cwd() if IS_INSTALLED else ROOT
STARTUP_FAILURE = 3  # the exit code; uvicorn's too
ENVIRONMENT_DEFAULTS = {
    "COCOINDEX_DISABLE_USAGE_TRACKING": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # CocoIndex logs each row at each try; the status and the log tell it once.
    "RUST_LOG": "off",
    # gRPC logs each lost connection in its own way; the log tells it in a sentence.
    "GRPC_VERBOSITY": "ERROR",
    # PyTorch's idle threads spin for less long, and leave the cores to others.
    "GOMP_SPINCOUNT": "10000",
    # Large memory pages for child processes: the model is some 5 % quicker.
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


class StartupError(click.ClickException):
    """What keeps the app from starting, and what to do about it.

    cocoindex's command line prints Click's exceptions as a sentence.
    """


def _absolute(path: Path) -> Path:
    try:
        return (BASE / path.expanduser()).resolve()
    except RuntimeError as error:
        # The home of nobody, or links that lead in a circle.
        raise ValueError(str(error)) from None


def _at_base(path: Path) -> Path:
    """No link to a file is followed yet: it may lead to another one later."""
    return BASE / os.path.expanduser(path)  # noqa: PTH111, it never fails


def _read_places(value: Any) -> Any:
    if isinstance(value, str | Path):
        return parse_addresses(str(value), _absolute)
    return value


def _split_addresses(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(",", " ").split()
    return value


Urls = Annotated[
    tuple[AnyHttpUrl, ...],
    NoDecode,
    BeforeValidator(_split_addresses),
    Field(min_length=1),
]
Device = Annotated[str, Field(pattern=r"^(cpu|mps|cuda(:\d+)?)$")]
Devices = Annotated[
    tuple[Device, ...], NoDecode, BeforeValidator(_split_addresses)
]
Folder = Annotated[Path, AfterValidator(_absolute)]
File = Annotated[Path, AfterValidator(_at_base)]
Networks = Annotated[
    tuple[Network, ...], NoDecode, BeforeValidator(parse_networks)
]
# The second name is uvicorn's, which goes on working.
PROXIES = AliasChoices("trusted_proxies", "forwarded_allow_ips")
RootPath = Annotated[str, AfterValidator(parse_root_path)]
Places = Annotated[
    tuple[PlaceAddress, ...], NoDecode, BeforeValidator(_read_places)
]


def _default_data_dir(values: dict[str, Any]) -> Path:
    """A checkout's own; else one in the user's home, by the first folder of photos."""
    if not IS_INSTALLED:
        return Path(".data")
    from platformdirs import user_data_path

    first: PlaceAddress = values["image_dir"][0]
    digest = hashlib.sha256(os.fsencode(first.where)).hexdigest()
    name = f"{first.own_name[:40] or 'root'}-{digest[:8]}"
    return user_data_path("image-search") / name


class Settings(BaseSettings):
    """Every setting; `.env.example` has a line on each.

    An empty value counts as unset. Relative paths start at the project's folder,
    so that the index is one index from wherever the app is started; where it is
    installed they start, as those of any command, where the user is.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    role: Literal["all", "search", "index"] = "all"
    image_dir: Places = Field(
        "." if IS_INSTALLED else "img", validate_default=True
    )
    data_dir: Folder = Field(default_factory=_default_data_dir)
    exclude: Patterns = ()
    clip_model: str = "openai/clip-vit-large-patch14"
    clip_dtype: Literal["float32", "float16", "bfloat16"] | None = None
    clip_devices: Devices = ()  # see devices.choose_devices
    ocr: bool = True
    ocr_languages: str = ""  # see text_model.TextModel
    qdrant_url: Urls | None = None
    qdrant_api_key: str | None = Field(None, repr=False)
    # CocoIndex's state goes by this name too, and has rules for names.
    qdrant_collection: str = Field(
        "image_search", pattern=r"^[a-z][a-z0-9_]{0,29}$"
    )
    qdrant_ca: Folder | None = None
    qdrant_shards: int | None = Field(None, ge=1)
    qdrant_replicas: int | None = Field(None, ge=1)
    qdrant_quantization: Literal["none", "int8", "binary"] | None = None
    qdrant_on_disk: bool = False
    cocoindex_database_url: str | None = Field(None, repr=False)
    refresh_seconds: float = Field(60, gt=0)
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    root_path: RootPath = ""
    password: str | None = Field(None, repr=False)
    api_keys: File | None = None
    trusted_proxies: Networks = Field(
        "", validate_default=True, validation_alias=PROXIES
    )
    allowed_hosts: str = ""  # separated by commas, like the next one
    cors_origins: str = Field("", pattern=r"^[^*]*$")

    @field_validator("data_dir")
    @classmethod
    def _is_not_among_the_photos(
        cls, data_dir: Path, info: ValidationInfo
    ) -> Path:
        # Where there is none the error about IMAGE_DIR says enough.
        for address in info.data.get("image_dir", ()):
            if isinstance(address, Address):
                _refuse_among_photos(thumbnail_folder(data_dir), address.path)
        return data_dir

    @property
    def model_folder(self) -> Path | None:
        """The folder that CLIP_MODEL names; None where it names a model of the hub."""
        folder = _absolute(Path(self.clip_model))
        return folder if folder.is_dir() else None

    @property
    def thumbnail_folder(self) -> Path:
        return thumbnail_folder(self.data_dir)


def thumbnail_folder(data_dir: Path) -> Path:
    """Where thumbnails lie: the only image files that the app writes."""
    return data_dir / "thumbs"


def _refuse_among_photos(thumbnails: Path, photos: Path) -> None:
    """Raise ValueError where thumbnails would be taken for photos."""
    if photos.is_relative_to(thumbnails):
        raise ValueError(
            "its thumbnails would lie in IMAGE_DIR, among the photos; set IMAGE_DIR"
            " to a folder outside of DATA_DIR"
        )
    if thumbnails.is_relative_to(photos):
        parts = thumbnails.relative_to(photos).parts
        if not any(part.startswith(".") for part in parts):
            raise ValueError(
                "it lies in IMAGE_DIR, where its thumbnails would be taken for"
                " photos; set it to a hidden folder, or to one elsewhere"
            )


def load_settings() -> Settings:
    """Read the settings; ends the program with a line for each that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            if problem["type"] == "default_factory_not_called":
                continue  # the error about IMAGE_DIR says enough
            name = str(problem["loc"][0]).upper()
            value = without_secrets(str(problem["input"]))
            lines.append(f"{name}={value}: {problem['msg']}.")
        raise SystemExit("\n".join(lines)) from None


def load_env_file(file: Path) -> None:
    """Put what a file says into the environment, where what is there already wins.

    One that can't be read ends the program with a sentence, and the exit code of all
    that keeps the app from starting.
    """
    if problem := _problem_of_loading(file):
        print(
            f"{file} can't be read: {problem}. Mend it, or move it away.",
            file=sys.stderr,
        )
        raise SystemExit(STARTUP_FAILURE)


def _problem_of_loading(file: Path) -> str | None:
    try:
        load_dotenv(file)
        # What is neither, a folder say, has been taken for no file at all.
        is_file = file.is_file() or file.is_fifo()
    except OSError as error:
        return error.strerror
    except ValueError as error:  # it is not UTF-8, or has NUL in it
        return str(error)
    return None if is_file or not os.path.lexists(file) else "it is no file"


class EscapeControlCharacters(logging.Filter):
    """Keeps a photo's name, or whatever a line is about, from forging another line."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(self._escape, record.args))
        return True

    def _escape(self, value: object) -> object:
        text = str(value)
        if text.isprintable():
            return value
        return repr(text)


load_env_file(BASE / ".env")
for _name, _value in ENVIRONMENT_DEFAULTS.items():
    os.environ.setdefault(_name, _value)
settings = load_settings()

# A child of uvicorn's logger: it has uvicorn's handler and level.
logger = logging.getLogger("uvicorn.image_search")
logger.addFilter(EscapeControlCharacters())
# Its rooms have a line for each form that is broken; the sender is told.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
