"""SQL applied in its order to a catalogue in memory: tables, columns, keys and types.

Nothing is run. What a statement names must be there by then; what is not understood is passed over.

Invariant: only what PostgreSQL would refuse for certain is told. Schemas of others (`auth.users`),
types of extensions, tables made from queries, and files whose order nobody can tell are open.
"""

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from application.agents.inspection import StaticFinding
from infrastructure.inspection.sql_tokens import Token, inside, parts, statements

TYPES: Final = frozenset(
    (  # noqa: SIM905 - a hundred names are read better as words.
        "bigint int8 bigserial serial8 bit varbit boolean bool box bytea character char varchar "
        "cidr circle date double float8 inet integer int int4 interval json jsonb line lseg "
        "macaddr macaddr8 money numeric decimal path pg_lsn pg_snapshot point polygon real float4 "
        "float smallint int2 smallserial serial2 serial serial4 text time timetz timestamp "
        "timestamptz tsquery tsvector txid_snapshot uuid xml name oid regclass regtype regproc "
        "int4range int8range numrange tsrange tstzrange daterange int4multirange "
        "int8multirange "
        "nummultirange tsmultirange tstzmultirange datemultirange bpchar jsonpath xid xid8 cid tid "
        "national nchar dec setof record void trigger anyelement regnamespace regrole"
    ).split()
)
"""Types that PostgreSQL 18 knows by itself: its manual, chapter 8."""
OF_EXTENSIONS: Final = frozenset(
    (  # noqa: SIM905
        "citext hstore ltree lquery ltxtquery vector halfvec sparsevec geometry geography raster "
        "cube seg isbn isbn13 issn ean13 upc semver"
    ).split()
)
OTHERS: Final = re.compile(
    r"\bautoincrement\b|\bauto_increment\b|\bengine\s?=|\bpragma\b|`\w|\bnvarchar\b|\bidentity\s?\(",
    re.IGNORECASE,
)
"""Words of other databases: such a file is not for PostgreSQL."""
MOST_FINDINGS: Final = 6
"""Per file."""
_NUMBER: Final = re.compile(r"^[vV]?(\d{1,14})")
_UNDONE: Final = re.compile(r"[._-](?:down|undo|rollback|revert)[._-]", re.IGNORECASE)
_BEHIND_COLUMN: Final = frozenset(
    {"constraint", "primary", "unique", "foreign", "check", "exclude", "like", "not", "period"}
)
_OWN_SCHEMAS: Final = frozenset({"public"})


@dataclass
class Table:
    """What is known of a table."""

    columns: set[str] = field(default_factory=set)
    open: bool = False
    """Whether it may have other columns."""
    keyed: bool = False
    """Whether it has a primary key."""


class SchemaFault(NamedTuple):
    """What PostgreSQL would refuse."""

    line: int
    message: str


class Name(NamedTuple):
    """What a statement names."""

    text: str
    line: int
    elsewhere: bool
    """Whether it stands in a schema of others."""


QUERIES: Final = frozenset({"query", "execute", "sql", "unsafe", "prepare", "raw"})
"""Names of calls whose text is SQL."""
_VERB: Final = re.compile(r"^\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s")
_MADE_OF_WORDS: Final = frozenset({"extract", "substring", "trim", "overlay", "position"})
"""Functions whose arguments have a FROM of their own."""


def is_statement(text: str, *, asked: bool) -> bool:
    """Whether a text in a script is SQL; `asked` if it is handed to what runs SQL."""
    return _VERB.match(text.upper() if asked else text) is not None


def query_faults(files: Mapping[str, str], texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Tables and columns that statements of the program name, and no SQL file makes.

    Args:
        files: The SQL files.
        texts: Statements, with what is put in at run time as `$1`.

    Yields:
        The number of the statement in `texts`, and what is wrong with it.
    """
    catalogue, _ = _applied(files)
    if catalogue is None or catalogue.elsewhere:
        return
    for number, text in enumerate(texts):
        for statement in statements(text):
            for fault in catalogue.asked(statement):
                yield number, fault.message


def tables_of(files: Mapping[str, str]) -> dict[str, tuple[str, frozenset[str] | None]] | None:
    """The tables that there are in the end, each with a file that makes it and its columns.

    Columns are None where others may be there; all is None where nobody can tell.
    """
    catalogue, _ = _applied(files)
    if catalogue is None:
        return None
    return {
        name: (
            min(catalogue.made.get(name) or {""}),
            None if table.open else frozenset(table.columns),
        )
        for name, table in catalogue.tables.items()
    }


def schema_findings(files: Mapping[str, str]) -> Iterator[StaticFinding]:
    """What cannot run, in each file."""
    _, faults = _applied(files)
    for path, found in faults.items():
        for fault in found[:MOST_FINDINGS]:
            yield StaticFinding(path, fault.line, "sql", fault.message)


def _applied(files: Mapping[str, str]) -> "tuple[Catalogue | None, dict[str, list[SchemaFault]]]":
    """What there is after all files, and what of each cannot run; None where nobody can tell."""
    ours = {p: t for p, t in files.items() if not _UNDONE.search(p)}
    if any(OTHERS.search(text) for text in ours.values()):
        return None, {}
    read = {path: list(statements(ours[path])) for path in sorted(ours, key=_order)}
    catalogue = Catalogue(_made(read))
    if not catalogue.made:
        return None, {}
    faults: dict[str, list[SchemaFault]] = {}
    for path, listed in read.items():
        catalogue.begin(path)
        faults[path] = [fault for one in listed for fault in catalogue.apply(one)]
    return catalogue, faults


def _order(path: str) -> tuple[str, int, str]:
    folder, _, name = path.rpartition("/")
    number = _NUMBER.match(name)
    return folder, int(number.group(1)) if number else -1, name


def _made(read: Mapping[str, Sequence[Sequence[Token]]]) -> dict[str, set[str]]:
    """Which file makes each table or view, by the lower name."""
    made: dict[str, set[str]] = {}
    for path, listed in read.items():
        for statement in listed:
            for name in _makes(statement):
                made.setdefault(name, set()).add(path)
    return made


def _makes(statement: Sequence[Token]) -> Iterator[str]:
    if statement[0].is_word("create"):
        at = _find(statement, ("table", "view"), 8)
        if at >= 0:
            yield _name(statement, _skip(statement, at + 1, "if", "not", "exists"))[0].text
    elif statement[0].is_word("alter", "select"):
        for index, token in enumerate(statement[:-2]):
            if token.is_word("rename") and statement[index + 1].is_word("to"):
                yield statement[index + 2].text
            if token.is_word("into") and statement[0].is_word("select"):
                yield statement[index + 1].text
    elif statement[0].is_word("do"):
        for token in statement:
            if token.kind == "body":
                for inner in statements(token.text):
                    if start := _start(inner):
                        yield from _makes(start)


def _start(statement: Sequence[Token]) -> Sequence[Token]:
    """A statement inside a block, from the word that makes something."""
    at = _find(statement, ("create", "alter"), 40)
    return statement[at:] if at >= 0 else ()


def _find(tokens: Sequence[Token], words: Sequence[str], within: int) -> int:
    for index, token in enumerate(tokens[:within]):
        if token.is_word(*words):
            return index
    return -1


def _skip(tokens: Sequence[Token], at: int, *words: str) -> int:
    while at < len(tokens) and tokens[at].is_word(*words):
        at += 1
    return at


def _name(tokens: Sequence[Token], at: int) -> tuple[Name, int]:
    """A name, perhaps with its schema, and the place behind it."""
    if at >= len(tokens) or tokens[at].kind not in {"word", "name"}:
        line = tokens[at].line if at < len(tokens) else tokens[-1].line
        return Name("", line, elsewhere=True), at
    schema, text, line = "", tokens[at].text, tokens[at].line
    at += 1
    while (
        at + 1 < len(tokens) and tokens[at].text == "." and tokens[at + 1].kind in {"word", "name"}
    ):
        schema, text = text, tokens[at + 1].text
        at += 2
    return Name(text, line, elsewhere=bool(schema) and schema not in _OWN_SCHEMAS), at


def _is(tokens: Sequence[Token], at: int, *words: str) -> bool:
    return all(
        at + ahead < len(tokens) and tokens[at + ahead].is_word(word)
        for ahead, word in enumerate(words)
    )


def _opens(tokens: Sequence[Token], at: int) -> bool:
    return at < len(tokens) and tokens[at].kind == "mark" and tokens[at].text == "("


class Catalogue:
    """What there is after the statements so far."""

    def __init__(self, made: Mapping[str, set[str]]) -> None:
        self.made = made
        self.tables: dict[str, Table] = {}
        self._types: set[str] = set()
        self._open_types = False
        self._path = ""

    def begin(self, path: str) -> None:
        """Go on with the next file."""
        self._path = path

    def apply(self, tokens: Sequence[Token]) -> Iterator[SchemaFault]:
        """Change the catalogue by a statement, and tell what of it cannot run."""
        first = tokens[0]
        if first.is_word("create"):
            yield from self._create(tokens)
        elif first.is_word("alter") and _is(tokens, 1, "table"):
            yield from self._alter(tokens)
        elif first.is_word("alter", "drop"):
            self._drop(tokens)
        elif first.is_word("insert") and _is(tokens, 1, "into"):
            yield from self._insert(tokens)
        elif first.is_word("update"):
            yield from self._update(tokens)
        elif first.is_word("delete") and _is(tokens, 1, "from"):
            yield from self._known(_name(tokens, _skip(tokens, 2, "only"))[0])
        elif first.is_word("truncate"):
            yield from self._known(_name(tokens, _skip(tokens, 1, "table", "only"))[0])
        elif first.is_word("comment") and _is(tokens, 1, "on", "table"):
            yield from self._known(_name(tokens, 3)[0])
        elif first.is_word("do"):
            self._block(tokens)

    def asked(self, tokens: Sequence[Token]) -> Iterator[SchemaFault]:
        """What a statement of the program names that is not there in the end."""
        first = tokens[0]
        if first.is_word("insert"):
            name = _name(tokens, 2)[0]
            if (yield from self._there(name)):
                yield from (f for f in self._insert(tokens) if "column" in f.message)
        elif first.is_word("update"):
            name = _name(tokens, _skip(tokens, 1, "only"))[0]
            if (yield from self._there(name)):
                yield from self._update(tokens)
        own = set(_of_with(tokens))
        for name in _sources(tokens):
            if name.text not in own:
                yield from self._there(name)

    def _there(self, name: Name) -> Generator[SchemaFault, None, bool]:
        if name.elsewhere or name.text in self.tables or name.text.startswith(_SYSTEM):
            return True
        yield SchemaFault(
            name.line,
            f"It names the table `{name.text}`, which no SQL file makes: name one that is made "
            f"({', '.join(f'`{one}`' for one in sorted(self.tables)[:MOST_FINDINGS])}).",
        )
        return False

    @property
    def elsewhere(self) -> bool:
        """Whether tables may be made that are not seen here: by extensions or in blocks."""
        return self._open_types

    def _known(self, name: Name) -> Iterator[SchemaFault]:
        """A table must be there by now."""
        if name.elsewhere or not name.text or name.text in self.tables:
            return
        places = self.made.get(name.text, set())
        if not places:
            yield SchemaFault(
                name.line,
                f"The table `{name.text}` is never made: make it before, or name one that is.",
            )
        elif places <= self._later():
            yield SchemaFault(
                name.line,
                f"The table `{name.text}` is only made later: put its CREATE TABLE first.",
            )

    def _later(self) -> set[str]:
        """Files that surely come later: this one, and those of a higher number beside it."""
        folder, number, _ = _order(self._path)
        later = {self._path}
        if number >= 0:
            for places in self.made.values():
                for path in places:
                    other = _order(path)
                    if other[0] == folder and other[1] > number:
                        later.add(path)
        return later

    def _columns(self, table: Name, names: Sequence[Token]) -> Iterator[SchemaFault]:
        known = self.tables.get(table.text)
        if known is None or known.open or table.elsewhere:
            return
        for name in names:
            if name.text not in known.columns:
                yield SchemaFault(
                    name.line,
                    f"The table `{table.text}` has no column `{name.text}` at this point.",
                )

    def _create(self, tokens: Sequence[Token]) -> Iterator[SchemaFault]:
        at = 1
        while at < len(tokens) and tokens[at].is_word(
            "or", "replace", "global", "local", "temp", "temporary", "unlogged", "unique",
            "materialized", "recursive", "constraint", "foreign",
        ):  # fmt: skip
            at += 1
        if at >= len(tokens):
            return
        what = tokens[at]
        behind = _skip(tokens, at + 1, "concurrently", "if", "not", "exists")
        if what.is_word("table"):
            yield from self._table(tokens, behind, lenient=behind > at + 1)
        elif what.is_word("view"):
            self.tables[_name(tokens, behind)[0].text] = Table(open=True)
        elif what.is_word("type", "domain"):
            self._types.add(_name(tokens, behind)[0].text)
        elif what.is_word("extension"):
            self._open_types = True
        elif what.is_word("index"):
            yield from self._index(tokens, behind)
        elif what.is_word("trigger", "policy"):
            on = _find(tokens, ("on",), 40)
            if on >= 0:
                yield from self._known(_name(tokens, on + 1)[0])

    def _table(self, tokens: Sequence[Token], at: int, *, lenient: bool) -> Iterator[SchemaFault]:
        name, behind = _name(tokens, at)
        if not name.text:
            return
        if name.text in self.tables and not name.elsewhere and not lenient:
            if self.made.get(name.text) == {self._path}:
                yield SchemaFault(name.line, f"The table `{name.text}` is made twice.")
            return
        if name.text in self.tables:
            return
        table = Table()
        self.tables[name.text] = table
        if not _opens(tokens, behind):
            table.open = True
            return
        body, after = inside(tokens, behind)
        table.open = any(token.is_word("inherits", "as") for token in tokens[after:])
        elements = [part for part in parts(body) if part]
        for part in elements:
            if not _is_constraint(part):
                yield from self._column(name, table, part)
            elif part[0].is_word("like"):
                table.open = True
        for part in elements:
            yield from self._constraint(name, table, part)

    def _column(self, name: Name, table: Table, part: Sequence[Token]) -> Iterator[SchemaFault]:
        column = part[0]
        if column.text in table.columns:
            yield SchemaFault(
                column.line, f"The column `{column.text}` of `{name.text}` stands twice."
            )
        table.columns.add(column.text)
        if len(part) > 1:
            yield from self._type(part, 1)

    def _type(self, part: Sequence[Token], at: int) -> Iterator[SchemaFault]:
        kind, _ = _name(part, at)
        if not kind.text or kind.elsewhere or part[at].is_word("generated", "default"):
            return
        plain = kind.text.lower()
        if self._open_types or plain in TYPES or kind.text in self._types:
            return
        if kind.text in self.tables or plain in OF_EXTENSIONS:
            return
        yield SchemaFault(
            kind.line,
            f"The type `{kind.text}` does not exist in PostgreSQL, and nothing before makes it.",
        )

    def _constraint(self, name: Name, table: Table, part: Sequence[Token]) -> Iterator[SchemaFault]:
        """Keys and references of a column or of a table."""
        is_column = not _is_constraint(part)
        for at, token in enumerate(part):
            if token.is_word("primary") and _is(part, at + 1, "key"):
                if table.keyed:
                    yield SchemaFault(token.line, f"The table `{name.text}` has two primary keys.")
                table.keyed = True
                yield from self._listed(name, part, at + 2)
            elif token.is_word("unique") and not is_column:
                yield from self._listed(name, part, at + 1)
            elif token.is_word("foreign") and _is(part, at + 1, "key"):
                yield from self._listed(name, part, at + 2)
            elif token.is_word("references") and at:
                target, behind = _name(part, at + 1)
                yield from self._known(target)
                yield from self._listed(target, part, behind)

    def _listed(self, table: Name, part: Sequence[Token], at: int) -> Iterator[SchemaFault]:
        """Columns in brackets must be there."""
        if _opens(part, at):
            listed, _ = inside(part, at)
            names = [one[0] for one in parts(listed) if len(one) == 1]
            yield from self._columns(table, [n for n in names if n.kind in {"word", "name"}])

    def _index(self, tokens: Sequence[Token], at: int) -> Iterator[SchemaFault]:
        on = _find(tokens, ("on",), at + 6)
        if on < 0:
            return
        table, behind = _name(tokens, _skip(tokens, on + 1, "only"))
        yield from self._known(table)
        if _is(tokens, behind, "using"):
            behind += 2
        yield from self._listed(table, tokens, behind)

    def _alter(self, tokens: Sequence[Token]) -> Iterator[SchemaFault]:
        start = _skip(tokens, 2, "if", "exists", "only")
        name, at = _name(tokens, start)
        if not any(token.is_word("exists") for token in tokens[2:start]):
            yield from self._known(name)
        table = self.tables.get(name.text)
        if table is None or name.elsewhere:
            return
        for part in parts(tokens[at:]):
            if part:
                yield from self._action(name, table, part)

    def _action(self, name: Name, table: Table, part: Sequence[Token]) -> Iterator[SchemaFault]:
        verb = part[0]
        at = _skip(part, 1, "column")
        lenient = _is(part, at, "if")
        at = _skip(part, at, "if", "not", "exists")
        if at >= len(part):
            return
        named = part[at]
        if verb.is_word("add") and _is_constraint(part[1:]):
            yield from self._constraint(name, table, part[1:])
        elif verb.is_word("add"):
            if not (lenient and named.text in table.columns):
                yield from self._column(name, table, part[at:])
                yield from self._constraint(name, table, part[at:])
        elif verb.is_word("drop") and named.is_word("constraint"):
            table.keyed = False
        elif verb.is_word("drop") and not lenient:
            yield from self._columns(name, [named])
            table.columns.discard(named.text)
        elif verb.is_word("drop"):
            table.columns.discard(named.text)
        elif verb.is_word("rename") and named.is_word("to") and at + 1 < len(part):
            self.tables[part[at + 1].text] = table
        elif verb.is_word("rename") and _is(part, at + 1, "to") and not named.is_word("constraint"):
            yield from self._columns(name, [named])
            table.columns.add(part[at + 2].text if at + 2 < len(part) else named.text)
            table.columns.discard(named.text)
        elif verb.is_word("alter") and not named.is_word("constraint"):
            yield from self._columns(name, [named])
            kind = _find(part, ("type",), at + 4)
            if kind > at:
                yield from self._type(part, kind + 1)

    def _drop(self, tokens: Sequence[Token]) -> None:
        if _is(tokens, 1, "table") and tokens[0].is_word("drop"):
            for part in parts(tokens[_skip(tokens, 2, "if", "exists") :]):
                if part:
                    self.tables.pop(_name(part, 0)[0].text, None)

    def _insert(self, tokens: Sequence[Token]) -> Iterator[SchemaFault]:
        name, at = _name(tokens, 2)
        yield from self._known(name)
        if _is(tokens, at, "as"):
            at += 2
        if not _opens(tokens, at):
            return
        listed, behind = inside(tokens, at)
        columns = [part[0] for part in parts(listed) if len(part) == 1]
        if any(token.is_word("select", "values") for token in listed):
            return
        yield from self._columns(name, columns)
        while behind < len(tokens) and tokens[behind].is_word(
            "overriding", "system", "user", "value"
        ):
            behind += 1
        if not _is(tokens, behind, "values"):
            return
        behind += 1
        while _opens(tokens, behind):
            row, after = inside(tokens, behind)
            count = len(list(parts(row)))
            if count != len(columns):
                yield SchemaFault(
                    tokens[behind].line,
                    f"INSERT INTO `{name.text}` names {len(columns)} columns, but gives {count}.",
                )
            behind = after + 1 if after < len(tokens) and tokens[after].text == "," else len(tokens)

    def _update(self, tokens: Sequence[Token]) -> Iterator[SchemaFault]:
        name, at = _name(tokens, _skip(tokens, 1, "only"))
        yield from self._known(name)
        start = _find(tokens, ("set",), at + 3)
        if start < 0:
            return
        end = next((i for i in range(start, len(tokens)) if tokens[i].is_word("where", "from",
                    "returning")), len(tokens))  # fmt: skip
        changed = [
            part[0]
            for part in parts(tokens[start + 1 : end])
            if len(part) > 1 and part[1].text == "=" and part[0].kind in {"word", "name"}
        ]
        yield from self._columns(name, changed)

    def _block(self, tokens: Sequence[Token]) -> None:
        """What a block makes is there from then on; what of it fails it may catch."""
        for token in tokens:
            if token.kind == "body":
                for inner in statements(token.text):
                    if start := _start(inner):
                        for _ in self.apply(start):
                            pass


_SYSTEM: Final = "pg_"


def _of_with(tokens: Sequence[Token]) -> Iterator[str]:
    """Names that a WITH gives to its queries, also those with a list of columns behind them."""
    for at, token in enumerate(tokens):
        behind = _skip(tokens, at + 1, "not", "materialized")
        if not (at and token.is_word("as") and _opens(tokens, behind)):
            continue
        before = at - 1
        if tokens[before].text == ")":
            while before and tokens[before].text != "(":
                before -= 1
            before -= 1
        if before >= 0:
            yield tokens[before].text


def _sources(tokens: Sequence[Token]) -> Iterator[Name]:
    """Tables behind FROM and JOIN; functions, subqueries and what is filled in are none."""
    open_words: list[str] = []
    for at, token in enumerate(tokens):
        if token.kind == "mark" and token.text == "(":
            open_words.append(tokens[at - 1].text if at else "")
        elif token.kind == "mark" and token.text == ")" and open_words:
            open_words.pop()
        if not token.is_word("from", "join") or (at and tokens[at - 1].is_word("distinct")):
            continue
        if open_words and open_words[-1] in _MADE_OF_WORDS:
            continue
        start = _skip(tokens, at + 1, "only", "lateral")
        if start >= len(tokens) or tokens[start].kind not in {"word", "name"}:
            continue
        name, behind = _name(tokens, start)
        if not _opens(tokens, behind):
            yield name


def _is_constraint(part: Sequence[Token]) -> bool:
    return bool(part) and part[0].kind == "word" and part[0].text in _BEHIND_COLUMN
