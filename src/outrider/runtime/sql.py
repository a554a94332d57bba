"""SQL kept in `.sql` files: named queries, table names filled in once, placeholders translated once for each driver.

Nothing of a message, header or filter ever reaches an identifier: names come from the catalog alone, match a strict
pattern, and are quoted here. Source: spec/outbox.md OB-33.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from outrider.core.errors import ConfigurationError
from outrider.core.steps import Rows
from outrider.ports.statements import ParamStyle, Query

TABLES = (
    "outrider_meta", "outbox_message", "outbox_own", "outbox_subscription", "outbox_cursor", "outbox_advance",
    "outbox_delivery", "outbox_pause", "outbox_pending", "outbox_status", "inbox_consumer", "inbox_key", "inbox_receipt",
    "inbox_delivery", "outrider_route", "outrider_process", "outrider_audit",
)  # fmt: skip
NOTIFICATION_TABLES = (
    "record", "dedupe", "request", "attempt", "address", "preference", "destination", "digest", "inbox_item",
)  # fmt: skip
"""Those of a service that runs the notifier: with the prefix of `notification` they are `notification_record` and so on."""

_NAMED = frozenset((*TABLES, *NOTIFICATION_TABLES))
_PREFIX = re.compile(r"[a-z_][a-z0-9_]{0,39}")
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_PART = re.compile(r"^-- (name|many|fragment): (\w+)[^\n]*\n", re.MULTILINE)
_MANY = "*"
_TABLE = re.compile(r"\{(\w+)\}")
_PLACEHOLDER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")
_ARRAY = re.compile(r"(?<=CAST\():([a-z_][a-z0-9_]*)(?= AS \w+\[\]\))")


@lru_cache
def read_sql(package: str, path: str) -> str:
    """Read a `.sql` file that ships inside `package`."""
    return files(package).joinpath(path).read_text(encoding="utf-8")


def read_queries(package: str, folder: str = "sql") -> dict[str, str]:
    """Read a folder's files of queries, each query headed by a line `-- name: the_name`.

    What several of the folder's queries say alike stands once, headed by `-- fragment: its_name`; `{its_name}` stands for it.
    `-- many: the_name` heads the text of a query for several parameter sets, given here as `the_name*`; see `Query.together`.
    """
    found: dict[str, dict[str, str]] = {"name": {}, "many": {}, "fragment": {}}
    for file in sorted(files(package).joinpath(folder).iterdir(), key=lambda file: file.name):
        parts = _PART.split(read_sql(package, f"{folder}/{file.name}"))[1:]
        for kind, name, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            found[kind][name] = text.strip().rstrip(";")
    texts = found["name"] | {f"{name}{_MANY}": text for name, text in found["many"].items()}
    return {name: _filled(text, found["fragment"]) for name, text in texts.items()}


def _filled(text: str, fragments: Mapping[str, str]) -> str:
    def fragment(match: re.Match[str]) -> str:
        return _filled(fragments[match[1]], fragments) if match[1] in fragments else match[0]

    return _TABLE.sub(fragment, text)


def fill_tables(text: str, prefix: str, schema: str | None = None, *, quote: str = '"') -> str:
    """Replace `{outbox_message}` by the quoted name of the service's table, and `{p}` by its prefix.

    Raises ConfigurationError for a prefix or schema that does not match the pattern.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ConfigurationError(f"table prefix {prefix!r} does not match {_PREFIX.pattern}")
    if schema is not None and not _SCHEMA.fullmatch(schema):
        raise ConfigurationError(f"schema {schema!r} does not match {_SCHEMA.pattern}")
    qualified = f"{quote}{schema}{quote}." if schema else ""

    def name(match: re.Match[str]) -> str:
        table = match.group(1)
        if table == "p":
            return prefix
        return f"{qualified}{quote}{prefix}{table}{quote}" if table in _NAMED else match.group(0)

    return _TABLE.sub(name, text)


def translate(text: str, style: ParamStyle) -> Query:
    """Turn `:name` placeholders into the driver's own; `names` says the order of the values where order counts."""
    used = tuple(_PLACEHOLDER.findall(text))
    once = tuple(dict.fromkeys(used))
    match style:
        case "named":
            return Query(text, once)
        case "pyformat":
            marked = _ARRAY.sub(r"%(\1)b", text.replace("%", "%%"))
            made = _PLACEHOLDER.sub(r"%(\1)s", marked)
            return Query(made, once, made.encode())
        case "format":
            return Query(_PLACEHOLDER.sub("%s", text.replace("%", "%%")), used)
        case "qmark":
            return Query(_PLACEHOLDER.sub("?", text), used)
        case "numeric_dollar":
            return Query(_PLACEHOLDER.sub(lambda match: f"${once.index(match.group(1)) + 1}", text), once)


def columns_of(many: Sequence[Mapping[str, Any]]) -> dict[str, list[Any] | None]:
    """What each parameter is in all of these sets, for `Query.together`; None where it is NULL in all, for then an array
    says no type.
    """
    columns = {name: [given[name] for given in many] for name in many[0]}
    return {name: None if values.count(None) == len(values) else values for name, values in columns.items()}


class Queries:
    """The queries of one storage and one service, as `ports.statements.Texts`."""

    def __init__(self, texts: Mapping[str, str], prefix: str, schema: str | None = None) -> None:
        self._texts = {name: fill_tables(text, prefix, schema) for name, text in texts.items()}
        self._rendered: dict[tuple[str, ParamStyle], Query] = {}

    def query(self, name: str, style: ParamStyle) -> Query:
        """Give the text of `name` in the driver's style. Raises KeyError for a name that no file holds."""
        rendered = self._rendered.get((name, style))
        if rendered is None:
            rendered = translate(self._texts[name], style)
            together = self._texts.get(f"{name}{_MANY}")
            if together is not None:
                rendered = rendered._replace(together=translate(together, style).raw)
            self._rendered[name, style] = rendered
        return rendered

    def bind(self, params: Mapping[str, Any], query: Query) -> Mapping[str, Any]:  # noqa: ARG002 - a storage may add values
        """Give the parameters as the driver wants them; here they are right as they stand."""
        return params

    def decode(self, columns: tuple[str, ...], rows: Rows) -> Rows:  # noqa: ARG002 - a storage may convert by column
        """Give the rows as core values; here the driver has made them already."""
        return rows
