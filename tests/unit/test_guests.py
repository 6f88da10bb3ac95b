"""Guests: who is one and the same, and how much is said of them."""

import logging

import pytest

from image_search.guests import MAX_LINES, LogLimit, OnceAMinute, network_of


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("192.168.1.7", "192.168.1.7"),
        ("::ffff:192.168.1.7", "192.168.1.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a socket", "a socket"),
        ("x" * 1000, "x" * 64),
    ],
)
def test_a_network_is_one_guest(client: str, network: str) -> None:
    """An IPv4 address is one, and so is a /64 of IPv6, which one household has."""
    assert network_of(client) == network


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_same_is_said_once_a_minute() -> None:
    """Something is said of each, and again after a minute, not before."""
    clock = Clock()
    limit = LogLimit(clock)
    assert [limit.allows(who) for who in "abab"] == [True, True, False, False]
    clock.now += 59
    assert not limit.allows("a")
    assert limit.allows("c")
    clock.now += 1
    assert limit.allows("a")
    assert not limit.allows("c")


def test_not_much_is_said_in_all() -> None:
    """However many they are, a minute has few lines."""
    clock = Clock()
    limit = LogLimit(clock)
    said = [limit.allows(str(number)) for number in range(1000)]
    assert sum(said) == MAX_LINES
    clock.now += 60
    assert limit.allows("1001")


def test_a_librarys_warnings_come_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What strangers can cause at will is said once; other lines, and failures, always."""
    log = logging.getLogger("tests.guests")
    log.setLevel(logging.INFO)
    with OnceAMinute().applied("tests.guests"):
        for number in range(3):
            log.warning("Invalid HTTP request received.")
            log.info("Started")
            error = OSError(24, "Too many open files")
            log.error(
                f"socket.accept() out of system resource\nsocket: {number}",
                exc_info=error,
            )
            log.error("A failure", exc_info=ValueError("a bug"))
    counted = [message.partition("\n")[0] for message in caplog.messages]
    assert counted.count("Invalid HTTP request received.") == 1
    assert counted.count("socket.accept() out of system resource") == 1
    assert counted.count("Started") == 3
    assert counted.count("A failure") == 3
    log.warning("Invalid HTTP request received.")
    assert caplog.messages[-1] == "Invalid HTTP request received."
