"""TLS to MySQL and MariaDB, said as libpq says it: `sslmode`, `sslrootcert`, `sslcert`, `sslkey` in the URL's query.

Invariant: who says nothing gets no TLS; every mode but `require` checks who signed the server's certificate.
"""

import ssl
from collections.abc import Mapping
from typing import Final

from outrider.core.errors import AccessRefused, ConfigurationError

OPTIONS: Final = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey"})
MODES: Final = ("disable", "require", "verify-ca", "verify-full")
SYSTEM: Final = "system"


def context_of(options: Mapping[str, str]) -> ssl.SSLContext | None:
    """What a driver is given as `ssl`. Raises ConfigurationError for another mode, AccessRefused for a file that is none."""
    mode = options.get("sslmode", "verify-full" if options else "disable")
    if mode not in MODES:
        raise ConfigurationError(f"the database URL has sslmode={mode}; MySQL and MariaDB know {', '.join(MODES)}")
    if mode == "disable":
        return None
    ca = options.get("sslrootcert", SYSTEM)
    try:
        made = ssl.create_default_context(cafile=None if ca == SYSTEM else ca)
        if "sslcert" in options:
            made.load_cert_chain(options["sslcert"], options.get("sslkey"))
    except (OSError, ssl.SSLError) as error:
        raise AccessRefused("database", str(error), "look at database.tls") from error
    made.check_hostname = mode == "verify-full"
    made.verify_mode = ssl.CERT_NONE if mode == "require" else ssl.CERT_REQUIRED
    return made
