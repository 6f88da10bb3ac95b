"""What words are read with: OCR_LANGUAGES, and the version that points bear."""

import zlib
from pathlib import Path
from typing import Any, NamedTuple

# Count up when photos are to be read again: at most 2**11 times.
READER_VERSION = 1
MODEL_BITS = 20


class TextModel(NamedTuple):
    """RapidOCR's own models, or a recognition model of one's own.

    The former read Chinese, Japanese, and languages in Latin letters.
    """

    languages: tuple[str, ...] = ()  # as RapidOCR calls them; none: all
    recogniser: str = ""  # a file in ONNX
    dictionary: str = ""  # its letters, a line each, if they are not in it

    @classmethod
    def of(cls, setting: str, base: Path) -> "TextModel":
        """What OCR_LANGUAGES says; paths start at `base`."""
        if setting.strip().lower().endswith(".onnx"):
            file = base / Path(setting.strip()).expanduser()
            return cls((), str(file), str(file.with_suffix(".txt")))
        names = setting.replace(",", " ").lower().split()
        return cls(tuple(sorted(set(names))))

    @property
    def version(self) -> int:
        """What a photo's point is marked by; another model reads it again."""
        if self == RAPIDOCRS_OWN:
            return READER_VERSION << MODEL_BITS
        name = Path(self.recogniser).name
        key = ",".join((*self.languages, name)).encode()
        low = zlib.crc32(key) % (1 << MODEL_BITS)
        return READER_VERSION << MODEL_BITS | low

    def engine_options(self) -> dict[str, Any]:
        """RapidOCR's: one thread, no resizing, and no lines in the log."""
        threads = "EngineConfig.onnxruntime.{}_op_num_threads"
        options: dict[str, Any] = {
            "Global.log_level": "critical",
            "Global.min_side_len": 1,
            "Global.max_side_len": 2**16,
            "Det.limit_type": "max",
            "Det.limit_side_len": 2**16,
            threads.format("intra"): 1,
            threads.format("inter"): 1,
        }
        if self.recogniser:
            options["Rec.model_path"] = self.recogniser
            if Path(self.dictionary).is_file():
                options["Rec.rec_keys_path"] = self.dictionary
        return options

    @property
    def known_languages(self) -> list[str] | None:
        """What it reads; None: many."""
        return [*self.languages] or None


RAPIDOCRS_OWN = TextModel()
