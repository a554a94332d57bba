"""Real servers as children of a test: started on free ports of 127.0.0.1, killed and restarted on demand.

Invariant: a signal goes only to processes that this process started, by pid; none of them outlives it; nothing is
installed here (``./run services`` does that), and a server that is not installed says so with ServerMissing.
"""

from outrider.testing.services.certificates import Authority, Certificate
from outrider.testing.services.kafka import KafkaServer
from outrider.testing.services.mariadb import MariaDBServer
from outrider.testing.services.postgres import PostgresServer
from outrider.testing.services.processes import ServerFailed, ServerMissing, ServerProcess

__all__ = [
    "Authority",
    "Certificate",
    "KafkaServer",
    "MariaDBServer",
    "PostgresServer",
    "ServerFailed",
    "ServerMissing",
    "ServerProcess",
]
