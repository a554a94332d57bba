"""The transaction of an asyncmy connection, also of one that a pool lent."""

from asyncmy.cursors import Cursor

from outrider.core.steps import Rows, Statement
from outrider.ports.statements import Texts
from outrider.runtime.mysql_driver import Gathered, driver_calls
from outrider.transactions.mysql.joined import MysqlFace


class AsyncMysqlTransaction(MysqlFace):
    """As `ports.transaction.AsyncTransaction`, over `asyncmy.Connection`."""

    __slots__ = ()

    def _is_open(self) -> bool:
        return bool(self._connection.connected)

    async def flush(self) -> None:
        """Nothing waits to be written."""

    async def execute(self, statement: Statement, texts: Texts) -> Rows:
        """Execute on a plain cursor, whatever rows the connection is set to."""
        query = texts.query(statement.name, "format")
        gathered = Gathered(statement, texts)
        async with self._connection.cursor(Cursor) as cursor:
            for text, values in driver_calls(statement, query, texts):
                await cursor.execute(text, values)
                described = cursor.description
                columns = None if described is None else tuple([column[0] for column in described])
                gathered.add(columns, () if columns is None else await cursor.fetchall(), cursor.lastrowid or 0)
        return gathered.rows
