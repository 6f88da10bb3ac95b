"""What a Qdrant server's errors mean, and what to do about each, in a sentence."""

import ipaddress
import re
import socket
import ssl
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import grpc

from image_search.settings import logger

DEFAULT_GRPC_PORT = 6334
TLS_SECONDS = 2  # to find out whether a server speaks TLS
LONGEST_REASON = 200  # characters of the server's own words
# The settings of strict mode, by what it says when one of them is in the way.
STRICT_MODE = {
    r"Exact search disabled|vector indexing is disabled": "search_allow_exact",
    r'Limit exceeded .* for "limit"': "max_query_limit",
    r'Limit exceeded .* for "timeout"': "max_timeout",
    r'Limit exceeded .* for "hnsw_ef"': "search_max_hnsw_ef",
    r'Limit exceeded .* for "oversampling"': "search_max_oversampling",
    r"Index required but not found": "unindexed_filtering_retrieve",
    r"maximum number of payload ind": "max_payload_index_count",
    r"Filter condition limit": "filter_max_conditions",
    r"Condition size limit": "condition_max_size",
    r"Limit exceeded .* for .*batch": "search_max_batchsize",
    r"Read rate limit": "read_rate_limit",
    r"Write rate limit": "write_rate_limit",
    r"Max points count": "max_points_count",
    r"Max vector storage size": "max_collection_vector_size_bytes",
    r"Max payload storage size": "max_collection_payload_size_bytes",
    r"Resident memory usage": "max_resident_memory_percent",
}
SILENT = r"[Tt]imed? ?out"
CLOSED = r"Socket closed|[Cc]onnection reset|recvmsg"
CONNECTION_FAILURES = {
    r"Connection refused": "connection refused",
    r"No route to host|Network is unreachable": "there is no way to its host",
    SILENT: "it does not answer",
    r"errors resolving|hostname lookup|DNS resolution": "no host has that name",
    CLOSED: "it closed the connection",
}
# What a key lacks, by Qdrant's words.
RIGHTS = {
    r"Write access|Global manage access": (
        "the key may only read: set QDRANT_API_KEY to one that may write to"
        " {collection}"
    ),
    r"Global access|Manage access": (
        "the key may not make collections: make {collection} beforehand"
    ),
    r"Access to collection": "the key is not for the collection {collection}",
    r"Only points access": (
        "the key may not make payload indexes of {collection}"
    ),
}


class Server(NamedTuple):
    """What a sentence says of a server."""

    host: str
    port: int
    is_tls: bool
    has_key: bool
    collection: str

    @classmethod
    def of(cls, url: str, collection: str, *, has_key: bool) -> "Server":
        """The one at a gRPC address."""
        parts = urlsplit(url)
        return cls(
            parts.hostname or "",
            parts.port or DEFAULT_GRPC_PORT,
            is_tls=parts.scheme == "https",
            has_key=has_key,
            collection=collection,
        )

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Without a password that may be in the setting."""
        return f"{'https' if self.is_tls else 'http'}://{self.address}"

    @property
    def is_private(self) -> bool:
        """Whether nobody else can read what is sent there."""
        if self.is_tls or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name
            return False


class Failure(NamedTuple):
    """What a server answered in the place of a result, or gRPC in its place."""

    server: Server
    code: grpc.StatusCode
    details: str


class Explanation(NamedTuple):
    """What happened, why, and whether it may pass without a person's help."""

    verb: str
    reason: str
    is_passing: bool = False
    setting: str = ""  # of strict mode


def explain_all(failures: Sequence[Failure]) -> tuple[str, Explanation]:
    """Who failed and why, in a sentence that names each address; and the main reason.

    That may pass if it may at one of them.
    """
    found = [explain(one.code, one.details, one.server) for one in failures]
    urls: dict[str, list[str]] = {}
    for one, why in zip(failures, found, strict=True):
        said = f"{why.verb}: {why.reason}"
        urls.setdefault(said, []).append(one.server.url)
    parts = [f"at {join_words(urls[said])} {said}" for said in urls]
    passing = [why for why in found if why.is_passing]
    return f"Qdrant {'; '.join(parts)}.", [*passing, *found][0]


def join_words(words: Sequence[str]) -> str:
    """a, b and c."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def warn_of_open_key(servers: Sequence[Server]) -> None:
    """Warn where a key goes over the network in plain text."""
    if any(one.has_key and not one.is_private for one in servers):
        logger.warning(
            "QDRANT_API_KEY goes over the network for everyone to read: write https://"
            " in QDRANT_URL, or let a tunnel encrypt it."
        )


def explain(code: grpc.StatusCode, details: str, server: Server) -> Explanation:
    """Put an error of gRPC, or of Qdrant, into words."""
    collection = server.collection
    match code:
        case grpc.StatusCode.UNAVAILABLE:
            return _explain_connection(details, server)
        case grpc.StatusCode.NOT_FOUND:
            reason = (
                f"the collection {collection} is gone and is being filled again"
            )
            return Explanation("can't answer", reason, is_passing=True)
        case (
            grpc.StatusCode.UNAUTHENTICATED | grpc.StatusCode.PERMISSION_DENIED
        ):
            return Explanation("refuses", _explain_key(details, server))
        case grpc.StatusCode.UNIMPLEMENTED:
            reason = "what answers there is no Qdrant: is it its gRPC port?"
            return Explanation("can't be used", reason)
    return _explain_refusal(code, details, server)


def _explain_connection(details: str, server: Server) -> Explanation:
    if mistake := _mistake_in_url(details, server):
        return Explanation("can't be used", mistake)
    for pattern, reason in CONNECTION_FAILURES.items():
        if re.search(pattern, details):
            return Explanation("can't be reached", reason, is_passing=True)
    reason = _last_words(details)
    return Explanation("can't answer", reason, is_passing=True)


def _mistake_in_url(details: str, server: Server) -> str | None:
    if re.search(r"http1\.x|parsing HTTP/2|SETTINGS frame", details):
        advice = "use its gRPC port"
        if server.port != DEFAULT_GRPC_PORT:
            advice += f", {DEFAULT_GRPC_PORT}"
        return f"{server.port} is Qdrant's REST port: {advice}"
    if "WRONG_VERSION_NUMBER" in details:
        return "it has no TLS: write http:// in QDRANT_URL, not https://"
    if "CERTIFICATE_VERIFY_FAILED" in details or "Peer name" in details:
        return (
            f"its TLS certificate can't be trusted: {_last_words(details)}. If it is of"
            " an authority of your own, set QDRANT_CA to that one's certificate"
        )
    # One that is silent would be waited for once more.
    is_closed = re.search(CLOSED, details) and not re.search(SILENT, details)
    if is_closed and not server.is_tls and _speaks_tls(server):
        return "it has TLS: write https:// in QDRANT_URL, not http://"
    return None


def _explain_key(details: str, server: Server) -> str:
    """Why a key is refused; the key itself is never said."""
    collection = server.collection
    if not server.has_key:
        return "it asks for a key: set QDRANT_API_KEY"
    for pattern, reason in RIGHTS.items():
        if re.search(pattern, details):
            return reason.format(collection=collection)
    return "QDRANT_API_KEY is not a key of its"


def _explain_refusal(
    code: grpc.StatusCode, details: str, server: Server
) -> Explanation:
    collection = server.collection
    for pattern, setting in STRICT_MODE.items():
        if re.search(pattern, details):
            reason = (
                f"the strict mode of {collection} is in the way, its {setting}"
            )
            is_rate = setting.endswith("rate_limit")
            return Explanation("refuses", reason, is_rate, setting)
    reason = _words(details)
    match code:
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            reason = "it does not answer in time"
        case grpc.StatusCode.CANCELLED:
            reason = "the app is stopping"
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            reason = f"it has no room: {reason}"
    if "No range index" in details:
        reason = f"the collection {collection} has lost its payload indexes"
    reason = reason or f"it says {code.name.lower()}"
    return Explanation("can't answer", reason, is_passing=True)


def _words(details: str) -> str:
    """The server's own words, in a line, without its names for kinds of errors."""
    line = " ".join(details.split())
    text = re.sub(
        r"^(Service internal error|Bad request|Wrong input|Not found"
        r"|Insufficient storage|Shard temporarily unavailable): ",
        "",
        line,
    )
    return text[:LONGEST_REASON].rstrip(". ")


def _last_words(details: str) -> str:
    """What gRPC says at last of a connection, after addresses and names of layers."""
    parts = " ".join(details.split()).split(": ")
    last = [part for part in parts if part != "OK"][-1:]
    return _words(*last) if last else ""


def _speaks_tls(server: Server) -> bool:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    address = server.host, server.port
    try:
        with (
            socket.create_connection(address, TLS_SECONDS) as connection,
            context.wrap_socket(connection),
        ):
            return True
    except OSError:
        return False
