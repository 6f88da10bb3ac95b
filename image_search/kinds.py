"""Kinds of picture files, told by the endings of their names: one table for all."""

from dataclasses import dataclass

RAW = "RAW"


@dataclass(frozen=True)
class Kind:
    """What the files of one ending are."""

    format: str  # as Pillow calls it, or RAW: what a camera's sensor saw
    mime: str
    in_browsers: bool = True  # whether all of them show it


JPEG = Kind("JPEG", "image/jpeg")
PNG = Kind("PNG", "image/png")
WEBP = Kind("WEBP", "image/webp")
HEIF = Kind("HEIF", "image/heif", in_browsers=False)
AVIF = Kind("AVIF", "image/avif")
GIF = Kind("GIF", "image/gif")
TIFF = Kind("TIFF", "image/tiff", in_browsers=False)
BMP = Kind("BMP", "image/bmp")


def _raw(mime: str) -> Kind:
    return Kind(RAW, mime, in_browsers=False)


# How large a picture browsers show: beyond it phones' give up, or all do.
BROWSER_SIDE = 16_384  # pixels
BROWSER_PIXELS = 64_000_000  # which take 256 MB once they are decoded

# What is read, by the endings of names, in small letters.
KINDS = {
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".jpe": JPEG,
    ".jfif": JPEG,
    ".jfi": JPEG,
    ".jif": JPEG,
    ".pjpeg": JPEG,
    ".pjp": JPEG,
    ".mpo": JPEG,  # several in one file: the first is seen
    ".jps": JPEG,  # two, side by side
    ".png": PNG,
    ".apng": Kind("PNG", "image/apng"),
    ".webp": WEBP,
    ".heic": HEIF,
    ".heif": HEIF,
    ".hif": HEIF,  # of Canon's, Fujifilm's and Sony's cameras
    ".heics": HEIF,
    ".heifs": HEIF,
    ".avif": AVIF,
    ".avifs": AVIF,
    ".gif": GIF,
    ".tif": TIFF,
    ".tiff": TIFF,
    ".bmp": BMP,
    ".dib": BMP,
    ".arw": _raw("image/x-sony-arw"),
    ".cr2": _raw("image/x-canon-cr2"),
    ".cr3": _raw("image/x-canon-cr3"),
    ".dng": _raw("image/x-adobe-dng"),
    ".nef": _raw("image/x-nikon-nef"),
    ".orf": _raw("image/x-olympus-orf"),
    ".pef": _raw("image/x-pentax-pef"),
    ".raf": _raw("image/x-fuji-raf"),
    ".rw2": _raw("image/x-panasonic-rw2"),
    ".srw": _raw("image/x-samsung-srw"),
}
# What looks like a picture, and is not read. What becomes readable moves up.
LOOK_LIKE_PICTURES = """
    3fr afphoto ai avci avcs bay bpg btf cap cin clip crw cur dcm dcr dcx dds djvu
    dpx emf eps erf exr fff fits flif fpx gpr hdp hdr icns ico iiq j2c j2k jls jng
    jp2 jpc jpf jpm jpx jxl jxr k25 kdc kra mdc mef mng mos mrw nrw ora pam pbm pct
    pcx pdd pfm pgm pic pict pnm ppm psb psd pxd qoi qtk ras raw rgbe rw1 rwl rwz
    sgi sr2 srf sti svg svgz tga wbmp wdp wmf x3f xbm xcf xpm
"""
NOT_READ = frozenset("." + ending for ending in LOOK_LIKE_PICTURES.split())

# What cameras write beside a RAW file, as the same photo.
DEVELOPED = frozenset(
    ending for ending, kind in KINDS.items() if kind in (JPEG, HEIF)
)
RAW_ENDINGS = frozenset(
    ending for ending, kind in KINDS.items() if kind.format == RAW
)
PILLOW_FORMATS = sorted({kind.format for kind in KINDS.values()} - {RAW})
# Globs that match each of them, in sub-folders too: CocoIndex's know no case.
PHOTO_PATTERNS = [
    "*." + "".join(f"[{letter}{letter.upper()}]" for letter in ending[1:])
    for ending in KINDS
]


def ending_of(filename: str) -> str:
    """What tells a file's kind: the last dot and what follows, in small letters."""
    stem, dot, ending = filename.rpartition(".")
    return dot + ending.lower() if stem else ""


def browsers_show(filename: str, width: int, height: int) -> bool:
    """Whether all browsers show a photo's own file, of so many pixels.

    As far as its name tells: what is in it may be of another kind.
    """
    kind = KINDS.get(ending_of(filename))
    if kind is None or not kind.in_browsers:
        return False
    is_long = max(width, height) > BROWSER_SIDE
    return not is_long and width * height <= BROWSER_PIXELS


def is_photo(filename: str) -> bool:
    """Whether a relative path is a photo's, by name: of a known kind, not hidden."""
    is_hidden = "/." in f"/{filename}"
    return ending_of(filename) in KINDS and not is_hidden
