"""JPEGs become pixels by NVIDIA's nvImageCodec, on a GPU or a CPU, many at a time.

As libjpeg makes them, which reads all others: nearly the same pixels, in the same
sizes. Only for a process of its own: it may crash, and holds memory of the GPU.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from image_search.colour import Pixels
from image_search.jpeg_messages import Request
from image_search.quiet import held_remarks

# Of the pixels of a whole photo colours are blended, as libjpeg does; where blocks
# are made one pixel, a colour belongs to its own block, as in libjpeg's smaller sizes.
BLENDED = ":fancy_upsampling=1 :fast_idct=0"
BY_BLOCK = ":fancy_upsampling=0 :fast_idct=0"
# What `check` looks at: a smooth picture, whose sides are no multiples of 16.
CHECKED = (1201, 907)
CHECKED_SCALES = (1, 2, 4, 8)
MOST_LEVELS = 16  # by which a pixel of it may differ from libjpeg's, of 255
MEAN_LEVELS = 1.0


class UnlikeLibjpeg(Exception):
    """The pixels are others than the app sees elsewhere."""


class JpegCodec:
    """Decodes on one device: "cpu", or "cuda:0" and so on."""

    def __init__(self, device: str, threads: int = 0) -> None:
        """`threads`: of the CPU; 0: as many as there are cores.

        Raises ImportError without the library, RuntimeError without the device.
        """
        self.device = device
        self._threads = threads
        with held_remarks():  # on libraries for other kinds of files
            self._whole = self._decoder(BLENDED, is_whole=True)
            self._reduced = self._decoder(BY_BLOCK, is_whole=False)

    def decode(self, batch: Sequence[Request]) -> list[Pixels | None]:
        """Pixels of the shape that each asks for; None for what can't be decoded.

        Where some fail, each of these is tried once more alone: there may be memory for
        one, and one that is broken takes no others with it.
        """
        with held_remarks():  # on files that others decode then
            return self._decode_all(batch)

    def _decode_all(self, batch: Sequence[Request]) -> list[Pixels | None]:
        decoded: list[Pixels | None] = [None] * len(batch)
        for decoder, is_whole in (self._whole, True), (self._reduced, False):
            places = [
                place
                for place, one in enumerate(batch)
                if (one.scale == 1) == is_whole
            ]
            some = self._decode(decoder, [batch[place] for place in places])
            for place, pixels in zip(places, some, strict=True):
                again = pixels is None and len(batch) > 1
                alone = [batch[place]] if again else []
                decoded[place] = next(
                    iter(self._decode(decoder, alone)), pixels
                )
        return decoded

    def check(self) -> None:
        """Compare what it makes of a picture with libjpeg's; raises UnlikeLibjpeg."""
        content = _picture()
        width, height = CHECKED
        asked = [
            Request(width, height, scale, 3, content)
            for scale in CHECKED_SCALES
        ]
        for request, pixels in zip(asked, self.decode(asked), strict=True):
            if pixels is None:
                raise UnlikeLibjpeg("it can't decode a sound JPEG")
            expected = _by_libjpeg(content, request)
            difference = np.abs(pixels.astype(int) - expected)
            most, mean = difference.max(), difference.mean()
            if most > MOST_LEVELS or mean > MEAN_LEVELS:
                raise UnlikeLibjpeg(
                    f"its pixels differ from libjpeg's by {mean:.1f} levels of"
                    f" 255 in the mean, by {most} at the most, at 1/{request.scale}"
                )

    def _decoder(self, options: str, *, is_whole: bool) -> Any:
        from nvidia import nvimgcodec

        if self.device == "cpu":
            number = nvimgcodec.NVIMGCODEC_DEVICE_CPU_ONLY
            kinds = [nvimgcodec.CPU_ONLY]
        else:
            number = int(self.device.partition(":")[2] or 0)
            kinds = [nvimgcodec.GPU_ONLY, nvimgcodec.HYBRID_CPU_GPU]
            if not is_whole:
                # The unit of its own that some GPUs have does not blend colours.
                kinds.insert(0, nvimgcodec.HW_GPU_ONLY)
        return nvimgcodec.Decoder(
            device_id=number,
            max_num_cpu_threads=self._threads,
            backends=[nvimgcodec.Backend(kind) for kind in kinds],
            options=options,
        )

    def _decode(
        self, decoder: Any, batch: Sequence[Request]
    ) -> list[Pixels | None]:
        from nvidia import nvimgcodec

        if not batch:
            return []
        as_it_lies = nvimgcodec.DecodeParams(
            apply_exif_orientation=False, color_spec=nvimgcodec.ColorSpec.SRGB
        )
        try:
            images = decoder.decode(
                [nvimgcodec.CodeStream(one.content) for one in batch],
                params=as_it_lies,
            )
        except RuntimeError:  # such as for want of memory
            return [None] * len(batch)
        return [
            image and self._reduce(image, request)
            for image, request in zip(images, batch, strict=True)
        ]

    def _reduce(self, image: Any, request: Request) -> Pixels | None:
        """Make each block a pixel, their mean; on the device, where it is quick."""
        import torch
        from torch.nn.functional import avg_pool2d

        if image.shape != (request.height, request.width, 3):
            return None
        try:
            pixels = self._tensor(image)[:, :, : request.bands]
            if request.scale > 1:
                planes = pixels.permute(2, 0, 1).float()
                # Blocks at the edge are of the pixels that there are.
                means = avg_pool2d(planes, request.scale, ceil_mode=True)
                pixels = means.round().to(torch.uint8).permute(1, 2, 0)
            array: Pixels = pixels.contiguous().cpu().numpy()
        except RuntimeError:  # torch.OutOfMemoryError is one
            return None
        return array

    def _tensor(self, image: Any) -> Any:
        import torch
        from torch.utils.dlpack import from_dlpack

        if self.device == "cpu":  # DLPack would ask for a GPU
            return torch.from_numpy(np.asarray(image))
        return from_dlpack(image)


def _picture() -> bytes:
    """A JPEG with all colours, and what is bright and dark at its edges."""
    width, height = CHECKED
    across = np.linspace(0, 1, width)[None, :]
    down = np.linspace(0, 1, height)[:, None]
    waves = [
        127.5 + 127.5 * np.sin(number * across + 3 * number * down)
        for number in (7, 11, 13)
    ]
    pixels = np.stack(waves, -1).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _by_libjpeg(content: bytes, request: Request) -> Any:
    image = Image.open(io.BytesIO(content))
    smaller = request.width // request.scale, request.height // request.scale
    image.draft(None, smaller)
    return np.asarray(image.convert("RGB")).astype(int)
