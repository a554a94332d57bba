"""Which addresses are everybody's: the global ones, and none that lead back into a network of ours.

Invariant: the tables are our own, after IANA's registries of special addresses: what Python calls global differs between its
patch versions. What embeds an IPv4 address (mapped, 6to4, Teredo, NAT64) is refused whatever it embeds. Source: NT-43.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

SPECIAL_4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # carriers' own (CGNAT)
            "127.0.0.0/8",
            "169.254.0.0/16",  # link-local, and the clouds' metadata
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",  # relays of 6to4
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",
        ),
    )
)
GLOBAL_6: Final = IPv6Network("2000::/3")
"""All that IANA gives out; outside lie mapped addresses, NAT64, unique local, link-local, site-local and multicast."""
SPECIAL_6: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # Teredo, ORCHID, benchmarks
            "2001:db8::/32",
            "2002::/16",  # 6to4
            "2620:4f:8000::/48",
            "3ffe::/16",  # the old 6bone
            "3fff::/20",
        ),
    )
)


def is_global(address: IPv4Address | IPv6Address) -> bool:
    """Whether this address may be called: unicast, and reached over the public network alone."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in SPECIAL_4)
    return address.scope_id is None and address in GLOBAL_6 and not any(address in network for network in SPECIAL_6)


def is_global_text(address: str) -> bool:
    """The same of what a resolver gave; False of what is no address."""
    try:
        return is_global(ip_address(address))
    except ValueError:
        return False
