"""Of several nodes one that is there is asked; who is away is left alone, and said."""

import logging

import grpc
import pytest

from image_search.qdrant_errors import Server
from image_search.qdrant_nodes import PAUSE, Nodes, Unanswered

AWAY = grpc.StatusCode.UNAVAILABLE
URLS = "http://127.0.0.1:1,http://127.0.0.1:2,https://qdrant.example"


class Failed(grpc.RpcError):  # type: ignore[misc]  # grpc has no types
    """What a call of gRPC raises."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details


class Cluster:
    """Three nodes, which of them fail and how, and which were asked."""

    def __init__(self) -> None:
        self.seconds = 0.0
        here = Nodes.at(URLS, "photos", has_key=False).servers
        self.nodes = Nodes(here, lambda: self.seconds, self.wait)
        self.failing: dict[int, Failed] = {}
        self.asked: list[int] = []
        self.waits = 0
        self.back_after_a_wait: int | None = None  # a node's port

    def wait(self, seconds: float) -> None:
        self.seconds += seconds
        self.waits += 1
        if self.back_after_a_wait:
            del self.failing[self.back_after_a_wait]

    def question(self, server: Server) -> int:
        self.asked.append(server.port)
        if server.port in self.failing:
            raise self.failing[server.port]
        return server.port

    def ask(self) -> list[int]:
        """Which nodes are asked one after another; the last of them answers."""
        self.asked = []
        assert self.nodes.ask(self.question) == self.asked[-1]
        return self.asked


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def refused() -> Failed:
    return Failed(AWAY, "connect: Connection refused")


def test_the_first_that_is_there_is_asked(cluster: Cluster) -> None:
    """Always the same one, so that pages join up; and the next while it is away."""
    assert cluster.ask() == cluster.ask() == [1]
    cluster.failing[1] = refused()
    assert cluster.ask() == [1, 2]
    cluster.failing[2] = Failed(grpc.StatusCode.DEADLINE_EXCEEDED, "")
    assert cluster.ask() == [2, 6334]
    assert cluster.ask() == [6334]


def test_one_that_is_away_is_left_alone_for_a_while(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """Then one question finds out whether it is back; both are said once."""
    caplog.set_level(logging.INFO)
    cluster.failing[1] = refused()
    cluster.ask()
    cluster.seconds += PAUSE - 1
    assert cluster.ask() == [2]
    cluster.seconds += 1
    assert cluster.ask() == [1, 2]
    assert cluster.ask() == [2]
    said = "Qdrant at http://127.0.0.1:1 can't be reached: connection refused."
    assert cluster.nodes.notice() == f"{said} The other nodes answer."
    cluster.failing.clear()
    cluster.seconds += PAUSE
    assert cluster.nodes.notice() is None
    assert cluster.ask() == cluster.ask() == [1]
    lines = [one.getMessage() for one in caplog.records]
    assert lines == [
        f"{said} Other nodes are asked.",
        "Qdrant at http://127.0.0.1:1 is back.",
    ]


def test_while_one_finds_out_others_go_by(cluster: Cluster) -> None:
    """A dead node costs one search its patience, and not all that come meanwhile."""
    cluster.failing[1] = refused()
    cluster.ask()
    cluster.seconds += PAUSE
    inner: list[int] = []

    def ask_amid_a_question(server: Server) -> int:
        if not inner:
            inner.extend(cluster.ask())
        return cluster.question(server)

    cluster.nodes.ask(ask_amid_a_question)
    assert inner[0] == 2


def test_when_all_are_away_all_are_asked_and_named(cluster: Cluster) -> None:
    """However short a time ago each failed; the reasons are said, with every address."""
    cluster.failing = {
        1: refused(),
        2: refused(),
        6334: Failed(AWAY, "No route to host"),
    }
    for _ in range(2):
        cluster.asked = []
        with pytest.raises(Unanswered) as error:
            cluster.nodes.ask(cluster.question)
        assert {*cluster.asked} == {1, 2, 6334}
        assert len(error.value.failures) == 3
    assert cluster.nodes.notice() is None  # nobody answers
    del cluster.failing[2]
    assert cluster.ask()[-1] == 2


def test_one_that_came_back_a_moment_ago_is_waited_for(
    cluster: Cluster,
) -> None:
    """A node is tried anew only now and then: who was away may be there by now."""
    cluster.failing[1] = refused()
    cluster.ask()
    cluster.failing |= {2: refused(), 6334: refused()}
    cluster.back_after_a_wait = 1
    assert cluster.ask()[-1] == 1
    assert cluster.waits == 1


def test_nobody_waits_where_it_would_not_help(cluster: Cluster) -> None:
    """All have just been tried, or one is there that hangs."""
    away = refused()
    cluster.failing = dict.fromkeys([1, 2, 6334], away)
    with pytest.raises(Unanswered):
        cluster.nodes.ask(cluster.question)
    cluster.failing[2] = Failed(grpc.StatusCode.DEADLINE_EXCEEDED, "")
    with pytest.raises(Unanswered):
        cluster.nodes.ask(cluster.question)
    assert cluster.waits == 0


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    ],
)
def test_an_error_is_an_answer(cluster: Cluster, code: grpc.StatusCode) -> None:
    """What a node refuses is not asked of the others, which would refuse it too."""
    cluster.failing[1] = Failed(code, "Not found: …")
    for _ in range(2):
        cluster.asked = []
        with pytest.raises(Unanswered) as error:
            cluster.nodes.ask(cluster.question)
        assert cluster.asked == [1]
        assert error.value.failures[0].code is code


def test_a_single_server_is_always_asked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where there is no other, none is left alone, and its error is told by who asked."""
    nodes = Nodes.at("http://127.0.0.1:1", "photos", has_key=False)
    asked = []

    def question(server: Server) -> None:
        asked.append(server)
        raise refused()

    for _ in range(3):
        with pytest.raises(Unanswered):
            nodes.ask(question)
    assert len(asked) == 3
    assert nodes.notice() is None
    assert caplog.records == []
