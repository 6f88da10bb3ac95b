"""How a collection is laid out on a Qdrant cluster, and how it is searched then."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from qdrant_client import models

from image_search.store import VECTOR_NAME
from image_search.vector_space import mark_of

Quantization = Literal["none", "int8", "binary"]


@dataclass(frozen=True)
class Layout:
    """What the settings say; None leaves it to Qdrant.

    One write is enough where there are replicas, and not a majority of them: Qdrant
    reads no replica that has missed one until it has caught up, so that photos go on
    being indexed with one of two away; and what all of them lose is filled again.
    """

    shards: int | None = None
    replicas: int | None = None
    quantization: Quantization | None = None
    on_disk: bool = False
    # The key of the encoder whose vectors it is made for.
    model: str = ""

    @property
    def quantized_by(self) -> Quantization:
        """int8 where the vectors lie on the disk: without it each search reads them.

        In memory it would come on top of them.
        """
        return self.quantization or ("int8" if self.on_disk else "none")

    def shape(self, dimension: int) -> dict[str, models.VectorParams]:
        """The collection's vectors: each of shape (dimension,)."""
        vector = models.VectorParams(
            size=dimension,
            distance=models.Distance.COSINE,
            on_disk=self.on_disk or None,
        )
        return {VECTOR_NAME: vector}

    def options(self) -> dict[str, Any]:
        """What else the collection is made with, for Qdrant's client."""
        options: dict[str, Any] = {}
        if self.shards:
            options["shard_number"] = self.shards
        if self.replicas:
            options["replication_factor"] = self.replicas
            options["write_consistency_factor"] = 1
        if self.quantized_by != "none":
            options["quantization_config"] = _quantization(self.quantized_by)
        if self.on_disk:
            options["on_disk_payload"] = True
            options["hnsw_config"] = models.HnswConfigDiff(on_disk=True)
        if self.model:
            options["metadata"] = mark_of(self.model)
        return options

    def notice(
        self, config: models.CollectionConfig, collection: str
    ) -> str | None:
        """What a person should know of a collection that was made otherwise."""
        differences = [*self._differences(config)]
        if not differences:
            return None
        return (
            f"The collection {collection} was made otherwise than the settings say, and"
            f" is left as it is: {', '.join(differences)}. Set QDRANT_COLLECTION to a"
            " new name (no photo is embedded again), change the collection on the"
            " server, or take the settings back."
        )

    def _differences(self, config: models.CollectionConfig) -> Iterator[str]:
        params = config.params
        for name, found, wanted in (
            ("QDRANT_SHARDS", params.shard_number, self.shards),
            ("QDRANT_REPLICAS", params.replication_factor, self.replicas),
        ):
            if wanted and (found or 1) != wanted:
                yield f"it has {found or 1} and not {name}={wanted}"
        found_kind = quantization_of(config) or "none"
        wanted_kind = self.quantized_by
        if (self.quantization or self.on_disk) and found_kind != wanted_kind:
            name = f"QDRANT_QUANTIZATION={wanted_kind}"
            yield f"its quantisation is {found_kind} and not {name}"
        vectors: Any = params.vectors
        if self.on_disk and not vectors[VECTOR_NAME].on_disk:
            yield (
                "its vectors lie in memory and not on the disk (QDRANT_ON_DISK)"
            )


PLAIN = Layout()


def quantization_of(config: models.CollectionConfig) -> str | None:
    """The kind of a collection's quantisation, by our name or Qdrant's."""
    vectors: Any = config.params.vectors
    # A vector's own, by which a person may have made it, goes first.
    found = vectors[VECTOR_NAME].quantization_config
    found = found or config.quantization_config
    match found:
        case None:
            return None
        case models.ScalarQuantization():
            return "int8"
        case models.BinaryQuantization():
            return "binary"
    return type(found).__name__.removesuffix("Quantization").lower()


def most_at_once(config: models.CollectionConfig) -> int | None:
    """How many points one question may ask for; None: any number."""
    strict = config.strict_mode_config
    if strict is None or not strict.enabled:
        return None
    return strict.max_query_limit


class Rescoring(NamedTuple):
    """How many candidates are compared by their whole vectors.

    So what quantisation rounds away decides nothing. They are some times as many as
    the results that are asked for, and at least so many, so that the first pages come
    from the same ones and join up.
    """

    times: float
    least: int
    most_times: float | None = None  # that the collection's owner allows

    @classmethod
    def of(cls, config: models.CollectionConfig) -> "Rescoring | None":
        """What a collection needs; None if it has whole vectors alone."""
        kind = quantization_of(config)
        if kind is None:
            return None
        strict = config.strict_mode_config
        is_strict = strict is not None and strict.enabled
        most = strict.search_max_oversampling if strict and is_strict else None
        if kind == "int8":
            return cls(2, 200, most)
        return cls(3, 500, most)

    def params(self, depth: int) -> models.SearchParams:
        """For a search whose last result is the one at that depth."""
        times = max(self.times, self.least / depth)
        quantization = models.QuantizationSearchParams(
            rescore=True, oversampling=min(times, self.most_times or times)
        )
        return models.SearchParams(quantization=quantization)


def _quantization(kind: Quantization) -> models.QuantizationConfig:
    if kind == "binary":
        return models.BinaryQuantization(
            binary=models.BinaryQuantizationConfig(always_ram=True)
        )
    # Few numbers of an embedding lie far out: they may as well be cut off.
    return models.ScalarQuantization(
        scalar=models.ScalarQuantizationConfig(
            type=models.ScalarType.INT8, quantile=0.99, always_ram=True
        )
    )
