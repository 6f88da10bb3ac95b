"""The text tower: MiniLM, as a stock model that gives a text's vector."""

import copy
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import AutoTokenizer, BertModel, PreTrainedTokenizerBase

from image_search.starter.ingredients import TEXT_SIZE

# Holds all but 65 of the 1,000 classes' descriptions; the rest lose their
# ends.
MAX_TOKENS = 96
TEXT_BATCH = 128

# The mean of the tokens has to drown the residual beside it: see
# build_text_tower.
MEAN_GAIN = 2000.0
# Small enough for tanh(x) = x, large enough for half precision.
TANH_SCALE = 0.05


def unit(vectors: Tensor) -> Tensor:
    """Scale the last dimension to length 1 (a zero vector stays zero)."""
    return normalize(vectors, dim=-1)


class MiniLM(NamedTuple):
    """The sentence encoder all-MiniLM-L6-v2."""

    tokenizer: PreTrainedTokenizerBase
    bert: BertModel

    @classmethod
    def load(cls, folder: Path) -> "MiniLM":
        return cls(
            AutoTokenizer.from_pretrained(folder),
            BertModel.from_pretrained(folder),
        )

    def embed(self, texts: list[str]) -> Tensor:
        """Embed texts as sentence-transformers does; shape (texts, 384).

        A text's vector is the mean over its tokens, scaled to length 1.
        """
        means = torch.empty(len(texts), TEXT_SIZE)
        # In order of length, so that batches need little padding.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(texts), TEXT_BATCH):
            chosen = order[start : start + TEXT_BATCH]
            batch = [texts[i] for i in chosen]
            means[chosen] = self.average_tokens(batch)
        return unit(means)

    @torch.no_grad()
    def average_tokens(self, texts: list[str]) -> Tensor:
        """The mean over each text's tokens; shape (texts, 384)."""
        tokens = self.tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=MAX_TOKENS,
            return_tensors="pt",
        )
        # Shape (texts, tokens, 384).
        hidden: Tensor = self.bert(**tokens).last_hidden_state
        # Shape (texts, tokens); 0 where a text is padded.
        mask: Tensor = tokens["attention_mask"]
        is_token = mask[:, :, None].float()
        return (hidden * is_token).sum(dim=1) / is_token.sum(dim=1)


def build_text_tower(
    bert: BertModel, samples: Tensor, mean: Tensor
) -> BertModel:
    """MiniLM whose pooler_output is TANH_SCALE * (text vector - mean).

    `samples` has the shape (texts, 384), see reflect_to_ones; `mean` (384,);
    the output (texts, 384).

    The stock pooler is tanh(W h + b), where h is of the first token only. But
    a text's vector is the mean over all tokens, scaled to length 1. A seventh
    layer puts that mean into every token:

    - Queries and keys are 0: each token attends to all tokens alike, and gets
      their mean m.
    - Attention's output layer makes it MEAN_GAIN * R m, beside which the
      residual drowns.
    - LayerNorm makes it sqrt(384) * R m / |m|. It loses only what R offers,
      see reflect_to_ones.
    - The feed-forward half adds 0, and its LayerNorm finds nothing left to
      change.
    - The pooler's W undoes R and sqrt(384), and its b subtracts the mean,
      both times TANH_SCALE.
    """
    model = add_empty_layer(bert)
    weights: dict[str, Tensor] = model.state_dict()
    layer = f"encoder.layer.{bert.config.num_hidden_layers}"
    value = weights[f"{layer}.attention.self.value.weight"]
    output = weights[f"{layer}.attention.output.dense.weight"]
    pooler_scale = TANH_SCALE * TEXT_SIZE**-0.5

    reflection = reflect_to_ones(samples)
    value.copy_(torch.eye(TEXT_SIZE))
    output.copy_(MEAN_GAIN * reflection)
    weights["pooler.dense.weight"].copy_(pooler_scale * reflection)
    weights["pooler.dense.bias"].copy_(-TANH_SCALE * mean)
    return model


def add_empty_layer(bert: BertModel) -> BertModel:
    """Copy a model, with one more layer that adds nothing."""
    config = copy.deepcopy(bert.config)
    added = f"encoder.layer.{config.num_hidden_layers}."
    config.num_hidden_layers += 1
    # It was a folder of this machine, which nobody else needs to know.
    config.name_or_path = ""

    model = BertModel(config)
    weights: dict[str, Tensor] = model.state_dict()
    for name, tensor in bert.state_dict().items():
        weights[name].copy_(tensor)
    for name, tensor in weights.items():
        if name.startswith(added):
            is_scale = name.endswith("LayerNorm.weight")
            tensor.fill_(1.0 if is_scale else 0.0)
    return model


def reflect_to_ones(samples: Tensor) -> Tensor:
    """Find a reflection R, (384, 384), that prepares texts for LayerNorm.

    LayerNorm removes what a vector has along (1, ..., 1). R turns a direction
    that texts never use into that one, so that a text has nothing there. R is
    symmetric and its own inverse (Householder).

    MiniLM's texts, here the samples (texts, 384), fill 381 dimensions. Which
    of the three others eigh names first depends on the number of threads, and
    so do R's bytes; the model's results do not.
    """
    # As columns, the least used direction first.
    _, directions = torch.linalg.eigh(samples.T @ samples)
    # (1, ..., 1), scaled to length 1.
    ones = torch.full((TEXT_SIZE,), TEXT_SIZE**-0.5)
    normal = unit(directions[:, 0] - ones)
    return torch.eye(TEXT_SIZE) - 2 * torch.outer(normal, normal)
