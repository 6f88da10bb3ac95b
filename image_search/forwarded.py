"""What proxies tell of who asks, and the networks that they are in."""

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
EVERYBODY = "0.0.0.0/0,::/0"
# As RFC 7239 has it; but an address may go without its quotes.
NAME = r'[^\s",;=]+'
VALUE = rf'(?:"(?:[^"\\]|\\.)*"|{NAME})'
PAIR = re.compile(rf"({NAME})=({VALUE})")
ELEMENT = re.compile(rf"\s*(?:{NAME}={VALUE}(?:;\s*{NAME}={VALUE})*;?)?\s*")


class Told(NamedTuple):
    """For whom a proxy asks."""

    clients: tuple[
        str, ...
    ]  # each asked for by the next, the last by the proxy
    scheme: str  # of the proxy's own client; empty: it doesn't tell


def parse_networks(text: str) -> tuple[Network, ...]:
    """The addresses and networks in a setting, with commas between them.

    `*` is every address. Raises ValueError.
    """
    parts = text.replace("*", EVERYBODY).replace(",", " ").split()
    try:
        return tuple(ipaddress.ip_network(part) for part in parts)
    except ValueError as error:
        raise ValueError(
            f"name addresses, and networks as 10.0.0.0/8 is one: {error}"
        ) from None


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in networks)


def plain_address(address: str) -> str:
    """An IPv4 address as such, where a socket for IPv6 tells it as one of these."""
    try:
        mapped = ipaddress.IPv6Address(address).ipv4_mapped
    except ValueError:
        return address
    return str(mapped or address)


def parse_x_forwarded(hosts: Iterable[str], scheme: str) -> Told:
    """What the headers X-Forwarded-For, and X-Forwarded-Proto, tell."""
    clients = [part for line in hosts for part in line.split(",")]
    return Told(tuple(map(_host_of, clients)), scheme.strip().lower())


def parse_forwarded(header: str) -> Told | None:
    """What a header Forwarded tells; None if it is not well-formed.

    Who asks may send the start of it, and leave a quote open to hide what a proxy
    adds.
    """
    clients = []
    scheme = ""
    at = 0
    while element := ELEMENT.match(header, at):
        told = dict(PAIR.findall(element[0].lower()))
        if told:
            clients.append(_host_of(told.get("for", "unknown")))
            scheme = told.get("proto", "").strip('"')
        at = element.end()
        if at == len(header):
            return Told(tuple(clients), scheme)
        if header[at] != ",":
            return None
        at += 1
    return None


def _host_of(client: str) -> str:
    """The address in what may be quoted, in brackets, and have a port."""
    client = client.strip().strip('"').lower()
    if client.startswith("["):
        return client[1:].partition("]")[0]
    if client.count(":") == 1:
        return client.partition(":")[0]
    return client
