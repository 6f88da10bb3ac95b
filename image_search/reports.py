"""What transformers would say of a model that is loaded in our own way."""

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def without_reports() -> Iterator[None]:
    """Keep transformers from saying anything but errors."""
    import transformers

    log: Any = transformers.utils.logging
    before = log.get_verbosity()
    log.set_verbosity_error()
    try:
        yield
    finally:
        log.set_verbosity(before)
