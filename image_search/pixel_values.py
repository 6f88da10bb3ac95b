"""Images of 8 bits become what a model's image tower takes, on its own device.

The bytes go there as they are: they are a quarter of
the numbers that are made of them.
"""

from typing import Any

import numpy as np

from image_search.colour import Pixels
from image_search.model_input import ModelInput, Patches


def pixel_values(
    images: list[Pixels],
    made_by: ModelInput,
    processor: Any,
    model: Any,
) -> dict[str, Any]:
    """The arguments of `get_image_features`, for images that `made_by` made.

    `processor`: transformers' for images, for its
    factor, mean and deviation.
    """
    import torch
    from torch.nn.functional import pad
    from torch.nn.utils.rnn import pad_sequence

    def on_device(array: Any) -> Any:
        tensor = torch.from_numpy(array)
        if model.device.type == "cuda":
            # Only from memory that stays in its place does the device fetch it by
            # itself, while it computes something else.
            tensor = tensor.pin_memory()
        return tensor.to(model.device, non_blocking=True)

    # What the processor does, (pixels * factor - mean) / deviation, in float32.
    mean = torch.tensor(processor.image_mean, device=model.device)
    deviation = torch.tensor(processor.image_std, device=model.device)
    scale, shift = processor.rescale_factor / deviation, mean / deviation
    if not isinstance(made_by, Patches):
        planes = on_device(np.stack(images)).permute(0, 3, 1, 2).contiguous()
        values = planes * scale[:, None, None] - shift[:, None, None]
        return {"pixel_values": values.to(model.dtype)}
    cut = [
        _cut(on_device(image) * scale - shift, made_by.patch)
        for image in images
    ]
    used = torch.tensor([len(patches) for patches in cut])
    rows = pad_sequence(cut, batch_first=True)
    missing = made_by.most - rows.shape[1]
    rows = pad(rows, (0, 0, 0, missing))
    mask = torch.arange(made_by.most) < used[:, None]
    shapes = [
        (height // made_by.patch, width // made_by.patch)
        for height, width, _ in (one.shape for one in images)
    ]
    return {
        "pixel_values": rows.to(model.dtype),
        "pixel_attention_mask": mask.int().to(model.device),
        "spatial_shapes": torch.tensor(shapes, device=model.device),
    }


def _cut(image: Any, patch: int) -> Any:
    """Patches as rows, of shape (patches, patch * patch * 3)."""
    height, width, channels = image.shape
    rows, columns = height // patch, width // patch
    grid = image.reshape(rows, patch, columns, patch, channels)
    return grid.transpose(1, 2).reshape(rows * columns, -1)
