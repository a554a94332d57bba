"""psycopg's errors as ours, most specific match first, cause kept."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg

from outrider.core.errors import SchemaMismatch, StorageUnavailable
from outrider.storages.postgres.access import access_refused, privilege_lacking

RETRYABLE = (pg.SerializationFailure, pg.DeadlockDetected, pg.IdleInTransactionSessionTimeout)


@contextmanager
def translated() -> Iterator[None]:
    """Raise StorageUnavailable for what may pass by itself, AccessRefused and SchemaMismatch for what a deployer mends;
    programming errors stay as they are.
    """
    try:
        yield
    except pg.UndefinedTable as error:
        raise SchemaMismatch(str(error).splitlines()[0]) from error
    except pg.InsufficientPrivilege as error:
        raise privilege_lacking(error) from error
    except (psycopg.OperationalError, psycopg.InterfaceError, *RETRYABLE) as error:
        raise access_refused(error) or StorageUnavailable(f"{type(error).__name__}: {error}") from error
