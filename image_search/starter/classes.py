"""What the 1,000 classes are, said in text vectors."""

import torch
from torch import Tensor

from image_search.starter.ingredients import (
    CLASS_COUNT,
    TEXT_SIZE,
    Hypernym,
    read_class_names,
    read_descriptions,
    read_hypernyms,
)
from image_search.starter.text_tower import MiniLM, unit

# How people search, and how captions begin.
NAME_TEMPLATES = ("{}", "a photo of a {}")
# Against 1 for the name, and 1 for the parents: a description tells looks,
# but in much prose.
DESCRIPTION_WEIGHT = 0.5


def embed_classes(minilm: MiniLM) -> tuple[Tensor, Tensor]:
    """Blend each class's name, description and WordNet parents.

    The parents ("feline", "vehicle") let a general word find all its kinds.
    Returns the class vectors (1000, 384), and those of the parents' words
    (words, 384) as samples of short texts.
    """
    names = read_class_names()
    plain, captioned = (
        minilm.embed([template.format(name) for name in names])
        for template in NAME_TEMPLATES
    )
    described = minilm.embed(read_descriptions(names))
    hypernyms = read_hypernyms()
    words = list_words(hypernyms)
    samples = minilm.embed(words)
    vector_of = dict(zip(words, samples, strict=True))
    blend = (
        unit(plain + captioned)
        + DESCRIPTION_WEIGHT * described
        + unit(add_parents(hypernyms, vector_of))
    )
    return unit(blend), samples


def list_words(hypernyms: list[Hypernym]) -> list[str]:
    """The words for all parents, each once."""
    words: set[str] = set()
    for hypernym in hypernyms:
        words.update(hypernym.synonyms)
    return sorted(words)


def add_parents(
    hypernyms: list[Hypernym], vector_of: dict[str, Tensor]
) -> Tensor:
    """Add up the vectors of each class's parents; shape (1000, 384)."""
    parents = torch.zeros(CLASS_COUNT, TEXT_SIZE)
    for synonyms, classes in hypernyms:
        vectors = [vector_of[word] for word in synonyms]
        parents[classes] += unit(torch.stack(vectors).sum(dim=0))
    return parents
