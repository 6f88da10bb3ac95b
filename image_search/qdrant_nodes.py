"""The nodes of a Qdrant cluster, any of which answers for all: one is asked.

It is the first that is not known to be away, and so the same for as long as it answers:
a node asks its own replica of a shard first, and two replicas may differ in what they
find nearest, so that the pages of a search would not join up.
"""

import functools
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import grpc
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse

from image_search.qdrant_errors import Failure, Server, explain_all, join_words
from image_search.settings import logger

PAUSE = 30.0  # seconds for which a node that is away is left alone
# What another node may answer in its place.
AWAY = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED
UNLIMITED = {
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
}
# One that is back is found at once, and not after gRPC's two minutes.
RECONNECTING = {"grpc.max_reconnect_backoff_ms": 2000}
# Where another can be asked, a host that is switched off costs a second or two, and not
# the 20 that gRPC waits for a connection, or the quarter of an hour that TCP does. The
# time between keepalives is for long calls alone; without one there is no timeout.
IMPATIENT = {
    "grpc.min_reconnect_backoff_ms": 1000,  # the longest that connecting takes
    "grpc.initial_reconnect_backoff_ms": 500,
    "grpc.max_reconnect_backoff_ms": 500,
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 1000,  # TCP's own too (TCP_USER_TIMEOUT)
}

# seconds until each node was tried anew: gRPC varies its 500 ms by a fifth
RECONNECTED = 0.75

R = TypeVar("R")


class Unanswered(Exception):
    """No node gave an answer: each failed, or one answered with an error."""

    def __init__(self, failures: list[Failure]) -> None:
        super().__init__(*(one.details for one in failures))
        self.failures = failures


class Nodes:
    """Knows which nodes are away. From any thread.

    `clock`: seconds that never go back. `wait`: for so many seconds.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.servers = servers
        self._clock = clock
        self._wait = wait
        self._lock = threading.Lock()
        # Until when they are left alone, and what is said of them.
        self._away: dict[Server, tuple[float, str]] = {}

    @classmethod
    def at(cls, urls: str, collection: str, *, has_key: bool) -> "Nodes":
        """Those at gRPC addresses, with commas between them."""
        return cls(
            [
                Server.of(url, collection, has_key=has_key)
                for url in urls.split(",")
            ]
        )

    @property
    def are_several(self) -> bool:
        return len(self.servers) > 1

    @property
    def hosts(self) -> str:
        return join_words([*dict.fromkeys(one.host for one in self.servers)])

    @property
    def addresses(self) -> str:
        """Without passwords that may be in the setting."""
        return ",".join(server.url for server in self.servers)

    @functools.cached_property
    def channel_options(self) -> dict[str, int]:
        """For gRPC."""
        options = UNLIMITED | RECONNECTING
        return options | IMPATIENT if self.are_several else options

    def ask(self, question: Callable[[Server], R]) -> R:
        """Ask one node, and the next while one is away; raises Unanswered.

        So a question may be asked twice, and has to be one that does no harm then.

        A node that came back a moment ago still fails: gRPC goes by its last try. So
        where the others are known to be away, all are asked once more after the next.
        """
        there, away = self._in_turn()
        try:
            return self._ask_each(question, there + away)
        except Unanswered as error:
            codes = {failure.code for failure in error.failures}
            if not away or codes != {grpc.StatusCode.UNAVAILABLE}:
                raise
        self._wait(RECONNECTED)
        return self._ask_each(question, self.servers)

    def _ask_each(
        self, question: Callable[[Server], R], servers: Sequence[Server]
    ) -> R:
        failures = []
        for server in servers:
            try:
                answer = question(server)
            except (grpc.RpcError, ResourceExhaustedResponse) as error:
                failure = _read(error, server)
                if failure.code not in AWAY:
                    raise Unanswered([failure]) from error
                failures.append(failure)
                self._leave(failure)
            else:
                self._note_return(server)
                return answer
        raise Unanswered(failures)

    def notice(self) -> str | None:
        """Which nodes are away, for a person, while others answer."""
        now = self._clock()
        with self._lock:
            # What was found out long ago may be otherwise by now.
            away = [said for until, said in self._away.values() if now < until]
        if not away or len(away) == len(self.servers):
            return None
        return f"{' '.join(away)} The other nodes answer."

    def _in_turn(self) -> tuple[list[Server], list[Server]]:
        """Those that are there; and, as a last resort, those that are away."""
        now = self._clock()
        there, away = [], []
        with self._lock:
            for server in self.servers:
                until, said = self._away.get(server, (now, ""))
                if now < until:
                    away.append(server)
                    continue
                there.append(server)
                if said:
                    # This question finds out whether it is back; others go by.
                    self._away[server] = now + PAUSE, said
        return there, away

    def _leave(self, failure: Failure) -> None:
        if not self.are_several:
            return
        server, until = failure.server, self._clock() + PAUSE
        with self._lock:
            _, said = self._away.get(server, (until, ""))
        is_news = not said
        if is_news:
            said, _ = explain_all([failure])
            logger.warning("%s Other nodes are asked.", said)
        with self._lock:
            self._away[server] = until, said

    def _note_return(self, server: Server) -> None:
        if server not in self._away:
            return
        with self._lock:
            was_away = self._away.pop(server, None)
        if was_away:
            logger.info("Qdrant at %s is back.", server.url)


def _read(error: Exception, server: Server) -> Failure:
    if isinstance(error, ResourceExhaustedResponse):
        exhausted = grpc.StatusCode.RESOURCE_EXHAUSTED
        return Failure(server, exhausted, error.message)
    call: Any = error  # it has a code, without a type that says so
    return Failure(server, call.code(), call.details() or "")
