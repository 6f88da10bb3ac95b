"""Why a file is no photo that can be shown, in words that anybody understands."""

import logging
import re

CUT_OFF = "cut off: the end of the file is missing"
EMPTY = "empty file"
UNKNOWN = "not a picture of a known kind"
DAMAGED = "damaged: what is left of it can't be shown"
KNOWN_BY_BEGINNING = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"FUJIFILMCCD-RAW", "RAW"),
    (b"IIRO", "RAW"),
    (b"IIRS", "RAW"),
    (b"MMOR", "RAW"),
    (b"IIU\0", "RAW"),
)
# The brands of a file of boxes.
BRANDS = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"heim": "HEIC",
    b"heis": "HEIC",
    b"hevc": "HEIC",
    b"hevx": "HEIC",
    b"hevm": "HEIC",
    b"hevs": "HEIC",
    b"mif1": "HEIC",
    b"msf1": "HEIC",
    b"crx ": "RAW",  # of Canon's
}
# Files of other kinds, that come with a photo's name.
OTHERS = (
    (rb"%PDF-", "a PDF"),
    (rb"%!PS", "a PostScript file"),
    (rb"8BPS", "a Photoshop document"),
    (rb"\s*<(!doctype html|html|head|body)", "a web page"),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE svg[^>]*>\s*)?<(\w+:)?svg",
     "an SVG drawing"),
    (rb"\s*<\?xml", "an XML file"),
    (rb"\s*[{\[]\s*[\"{\[]", "a JSON file"),
    (rb"PK\x03\x04", "a ZIP archive"),
    (rb"Rar!", "a RAR archive"),
    (rb"7z\xbc\xaf", "a 7-Zip archive"),
    (rb"\x1f\x8b", "a gzip archive"),
    (rb"MZ|\x7fELF|\xcf\xfa\xed\xfe", "a program"),
    (rb"ID3|OggS|fLaC|RIFF....WAVE", "a sound"),
    (rb"\x1a\x45\xdf\xa3|RIFF....AVI |....ftyp(isom|mp4|qt|M4V|3gp|avc)|....moov",
     "a video"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (rb"\0\0\x01\0", "an icon"),
    (rb"P[1-7]\s", "a picture of the PNM family"),
    (rb"version https://git-lfs", "a Git LFS pointer to a file that is not there"),
    (rb"\0\x05\x16\x07", "macOS's notes on a file"),
)  # fmt: skip
HEAD = 1024  # bytes that tell a kind
MOST_TEXT = 2**16


class PhotoError(ValueError):
    """Why these bytes are no photo that can be shown to the model."""


class OutOfMemory(PhotoError):
    """Decoding it took more memory than there was; there may be more another time."""

    def __init__(
        self, reason: str = "there is too little memory to decode it"
    ) -> None:
        super().__init__(reason)


class TooLarge(PhotoError):
    """Decoding it would take too much memory; made smaller it may take less."""


def check_memory(needed: int, most: int) -> None:
    """Raise TooLarge if decoding would take more than so many bytes."""
    if needed > most:
        raise TooLarge(
            f"it would take {needed / 1e9:.1f} GB of memory to decode:"
            f" at most {most / 1e9:g} GB"
        )


def check_pixels(size: tuple[int, int], most: int) -> None:
    """Raise PhotoError if there are more than so many pixels."""
    if size[0] * size[1] > most:
        raise PhotoError(f"more than {most // 1_000_000} megapixels")


def log_reading(
    logger: logging.Logger, name: str, error: str | None, remarks: str | None
) -> None:
    """Log why a photo is skipped, and what its decoder said of it."""
    if error:
        logger.warning("%s is skipped: %s.", name, error)
    if remarks:
        logger.debug("%s: %s.", name, remarks)


def kind_of(content: bytes) -> str | None:
    """What kind of picture a file is by its first bytes: JPEG, PNG, HEIC, ..."""
    for beginning, kind in KNOWN_BY_BEGINNING:
        if content.startswith(beginning):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WebP"
    if content[4:8] == b"ftyp":
        size = min(int.from_bytes(content[:4]), HEAD)
        brands = content[8:12] + content[16:size]
        for at in range(0, len(brands), 4):
            if brands[at : at + 4] in BRANDS:
                return BRANDS[brands[at : at + 4]]
    return None


def why_not(content: bytes, *, is_cut_off: bool) -> str:  # noqa: PLR0911
    """The reason why these bytes, which no decoder could read, are no photo."""
    if not content:
        return EMPTY
    head = content[:HEAD]
    if not any(head) and not any(content):
        return "empty file: all its bytes are zero"
    kind = kind_of(content)
    if kind is None:
        for pattern, other in OTHERS:
            if re.match(pattern, head, re.IGNORECASE | re.DOTALL):
                return f"{other} with a photo's name"
        if _is_text(content[:MOST_TEXT]):
            return "a text with a photo's name"
        return UNKNOWN
    if is_cut_off:
        return CUT_OFF
    return f"a damaged {kind} file, or a kind of {kind} that is not read"


def _is_text(content: bytes) -> bool:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        if error.start < len(content) - 4:  # not a letter cut in two
            return False
        text = content[: error.start].decode()
    return all(letter.isprintable() or letter.isspace() for letter in text)
