"""Write a CLIP's halves as ONNX, in the files where rclip looks for them.

`python -m tests.bench.onnx_files MODEL FOLDER PACKAGES`: PACKAGES is where the package onnx lies,
which the app itself does without.
"""

import gzip
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel

# Of rclip 3.3; it asks no hub for what lies here, below its RCLIP_DATADIR.
WEIGHTS = Path("ViT-B-32-256-datacomp_s34b_b86k")
VOCABULARY = Path("tokenizer", "bpe_simple_vocab_16e6.txt.gz")
CONTEXT = 77  # tokens


class Half(torch.nn.Module):
    """One half of a model, as a function of one array."""

    def __init__(self, model: Any, half: str) -> None:
        super().__init__()
        self.model = model
        self.is_visual = half == "visual"

    def forward(self, array: Any) -> Any:
        if self.is_visual:
            made = self.model.get_image_features(pixel_values=array)
        else:
            made = self.model.get_text_features(input_ids=array)
        return made.pooler_output


def write(model_folder: Path, folder: Path) -> None:
    model = AutoModel.from_pretrained(model_folder).eval()
    model.requires_grad_(requires_grad=False)
    side = model.config.vision_config.image_size
    last = model.config.text_config.eos_token_id
    inputs = {
        "visual": torch.zeros(2, 3, side, side),
        "textual": torch.full((2, CONTEXT), last),
    }
    (folder / WEIGHTS).mkdir(parents=True)
    for half, array in inputs.items():
        torch.onnx.export(
            Half(model, half).eval(),
            (array,),
            folder / WEIGHTS / f"{half}.onnx",
            input_names=["input"],
            output_names=["output"],
            dynamic_shapes=({0: torch.export.Dim("batch", max=1024)},),
            external_data=False,
        )
    # With no pairs of letters joined, its tokens are letters, as the model's are.
    (folder / VOCABULARY).parent.mkdir()
    (folder / VOCABULARY).write_bytes(gzip.compress(b"#version"))


if __name__ == "__main__":
    sys.path.append(sys.argv[3])
    write(Path(sys.argv[1]), Path(sys.argv[2]))
