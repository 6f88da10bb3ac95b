"""What proxies tell: read as they mean it, and not at all where it may be forged."""

import pytest

from image_search.forwarded import (
    Told,
    is_within,
    parse_forwarded,
    parse_networks,
    parse_x_forwarded,
    plain_address,
)


@pytest.mark.parametrize(
    ("header", "clients", "scheme"),
    [
        ("for=192.0.2.43", ("192.0.2.43",), ""),
        ("For=192.0.2.43:47011;Proto=HTTPS", ("192.0.2.43",), "https"),
        ('for="192.0.2.43:47011"', ("192.0.2.43",), ""),
        ('for="[2001:db8::17]:4711"', ("2001:db8::17",), ""),
        ("for=[2001:db8::17]", ("2001:db8::17",), ""),
        ("for=1.1.1.1, for=2.2.2.2;by=3.3.3.3", ("1.1.1.1", "2.2.2.2"), ""),
        ('host="a;b, for=9.9.9.9";for=1.1.1.1', ("1.1.1.1",), ""),
        ("for=1.1.1.1;proto=https, for=2.2.2.2;proto=http;", ("1.1.1.1", "2.2.2.2"), "http"),
        ("for=_hidden, for=unknown", ("_hidden", "unknown"), ""),
        ("proto=https", ("unknown",), "https"),
        ("", (), ""),
    ],
)  # fmt: skip
def test_forwarded_is_read(
    header: str, clients: tuple[str, ...], scheme: str
) -> None:
    """Each proxy's client, without port and brackets, and the scheme of the last one's."""
    assert parse_forwarded(header) == Told(clients, scheme)


@pytest.mark.parametrize(
    "header",
    [
        "1.1.1.1",
        "for",
        "for=",
        "for=1.1.1.1 for=2.2.2.2",
        # Who asks opens a quote, to hide what the proxy adds.
        'for="1.1.1.1, for=2.2.2.2',
        'for="1.1.1.1, for="[2001:db8::1]"',
        'for="1.1.1.1\\, for="[2001:db8::1]:80"',
        pytest.param("for=1" + ";for=1" * 10_000 + ',"', id="many pairs"),
        pytest.param("a" * 60_000, id="long"),
        pytest.param(" " * 60_000 + '"', id="empty"),
    ],
)
def test_a_broken_header_tells_nothing(header: str) -> None:
    """What is not well-formed is not guessed at; and it takes no time to see that."""
    assert parse_forwarded(header) is None


@pytest.mark.parametrize(
    ("hosts", "clients"),
    [
        (["1.1.1.1"], ("1.1.1.1",)),
        (["1.1.1.1, 2.2.2.2:80", "[2001:db8::1]:9"], ("1.1.1.1", "2.2.2.2", "2001:db8::1")),
        (["2001:DB8::1"], ("2001:db8::1",)),
    ],
)  # fmt: skip
def test_x_forwarded_is_read(
    hosts: list[str], clients: tuple[str, ...]
) -> None:
    """Both families of headers are read to the same, so that they can be compared."""
    assert parse_x_forwarded(hosts, " HTTPS ") == Told(clients, "https")


def test_networks_are_read() -> None:
    """Addresses and networks of both kinds, with commas or spaces; a star is everybody."""
    networks = parse_networks("127.0.0.1, 10.0.0.0/8 fc00::/7,2001:db8::1")
    for inside in ("127.0.0.1", "10.9.9.9", "fd00::1", "2001:db8::1"):
        assert is_within(inside, networks)
    for outside in ("127.0.0.2", "11.0.0.1", "2001:db8::2", "testclient", ""):
        assert not is_within(outside, networks)
    assert parse_networks("") == ()
    assert is_within("203.0.113.9", parse_networks("*"))
    assert is_within("2001:db8::9", parse_networks("*"))


@pytest.mark.parametrize(
    "text", ["caddy", "10.0.0.1/8", "10.0.0", "1.2.3.4/33"]
)
def test_what_is_no_network_is_refused(text: str) -> None:
    """A name, or a network that is none, is an error that repeats it."""
    with pytest.raises(ValueError, match="name addresses") as refused:
        parse_networks(f"127.0.0.1, {text}")
    assert text in str(refused.value)


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::FFFF:a00:1", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:nonsense", "::ffff:nonsense"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv4_address_is_one_by_any_socket(address: str, plain: str) -> None:
    """One that a socket for IPv6 tells is the same as by a socket for IPv4."""
    assert plain_address(address) == plain
