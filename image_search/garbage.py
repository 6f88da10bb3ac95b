"""Python's garbage collector leaves alone what stays.

PyTorch and transformers make 400,000 objects while they
are imported, and none of them ever goes. The collector
looks at them again and again meanwhile, which is a fifth
of the time; and once they are there, whenever it looks
at everything: for 0.2 s, in which nobody is answered.
"""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def all_stays() -> Iterator[None]:
    """The collector looks at nothing that is made in here, neither now nor later.

    Neither does it at what was made before.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
