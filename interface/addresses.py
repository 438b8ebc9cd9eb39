"""Who is counted where people are counted by address.

Invariant: what one household or machine gets for itself is one name, whatever it chooses inside it.
"""

import ipaddress
from typing import Final

IPV6_HOST_BITS: Final = 64
LONGEST: Final = 64


def network_of(host: str | None) -> str:
    """The address, or the network of a person's IPv6 addresses; `unknown` without one."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return (host or "unknown")[:LONGEST]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((address, IPV6_HOST_BITS), strict=False))
    return str(address)
