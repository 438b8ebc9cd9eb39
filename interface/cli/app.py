"""The command line: every command's name, arguments and help; the work is done elsewhere.

Exit codes: 0 done, 1 refused or failed (one line says why and what to do), 2 wrong usage.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from cyclopts import App, CycloptsError, Parameter, Token

from interface.cli.console import fail
from interface.incoming import Malformed, Version, id_of, number_of


def _id(_: object, tokens: Sequence[Token]) -> UUID:
    """An id, read as the API reads it."""
    return id_of(tokens[0].value)


def _version(_: object, tokens: Sequence[Token]) -> int:
    """A version, read as the API reads it."""
    return number_of(tokens[0].value, Version)


Id = Annotated[UUID, Parameter(converter=_id)]
Checkpoint = Annotated[int, Parameter(converter=_version, help="version of a checkpoint")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="print JSON")]
Process = Literal["api", "worker", "relay", "projector", "sweeper"]

app = App(
    name="build-practical",
    help="Describe software in a conversation; constrained agents write its source code.",
    version_flags=["--version"],
    help_format="plaintext",
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
)
log = App(name="log", help="The event log of a feature.")
projections = App(name="projections", help="The read models.")
dead_letters = App(name="dead-letters", help="Messages that failed each of their deliveries.")
usage = App(name="usage", help="What was spent.")
master_keys = App(name="keys", help="The master key, what it wraps, and the key that signs tokens.")
for part in (log, projections, dead_letters, usage, master_keys):
    app.command(part)


@app.command
def up() -> int:
    """Run everything on this machine: servers, API, worker, relay, projector, sweeper."""
    from interface.cli.up import run_up  # noqa: PLC0415  # Other commands start faster without.

    return run_up()


@app.command
def demo(
    *,
    brief: Annotated[Path | None, Parameter(help="Markdown file with what to build")] = None,
    out: Annotated[Path, Parameter(help="folder for the zip")] = Path(),
) -> int:
    """Take a brief through the whole pipeline and leave a zip."""
    from interface.cli.up import run_demo_command  # noqa: PLC0415

    return run_demo_command(brief, out)


def _process(name: Process) -> int:
    from interface.cli.up import run_process  # noqa: PLC0415

    return run_process(name)


@app.command
def api() -> int:
    """Run the HTTP API against the servers that the settings name."""
    return _process("api")


@app.command
def worker() -> int:
    """Run a worker: it carries out due steps."""
    return _process("worker")


@app.command
def relay() -> int:
    """Run a relay: it announces committed events to NATS and makes tasks that are missing."""
    return _process("relay")


@app.command
def projector() -> int:
    """Run a projector: it keeps the read models."""
    return _process("projector")


@app.command
def sweeper() -> int:
    """Run a sweeper: it fails what is stuck and removes the files of deleted features."""
    return _process("sweeper")


@app.command
def migrate() -> int:
    """Bring the database's schema up to date."""
    from interface.cli import operations  # noqa: PLC0415

    return operations.migrate()


@app.command
def features(*, json: Json = False) -> int:
    """List all features of all tenants, newest first."""
    from interface.cli import operations  # noqa: PLC0415

    return operations.features(as_json=json)


@app.command
def replay(feature: Id, *, to: Checkpoint) -> int:
    """Take a feature back to a checkpoint, as an operator; the log says so."""
    from interface.cli import operations  # noqa: PLC0415

    return operations.replay(feature, to)


@app.command
def fork(feature: Id, *, at: Checkpoint) -> int:
    """Begin a feature from a checkpoint of another, for the same owner, as an operator."""
    from interface.cli import operations  # noqa: PLC0415

    return operations.fork(feature, at)


@log.command(name="show")
def log_show(feature: Id, *, json: Json = False) -> int:
    """Print a feature's events, in order; personal content is left out."""
    from interface.cli import operations  # noqa: PLC0415

    return operations.log_show(feature, as_json=json)


@log.command(name="export")
def log_export(
    feature: Id,
    *,
    out: Annotated[Path | None, Parameter(help="file; unset: print")] = None,
) -> int:
    """Write a feature's whole log, personal content in plain, as CloudEvents lines."""
    from interface.cli import logbook  # noqa: PLC0415

    return logbook.export(feature, out)


@log.command(name="verify")
def log_verify(
    target: Annotated[
        str | None,
        Parameter(help="a feature's id, an exported log, or a delivered zip; unset: all there is"),
    ] = None,
    *,
    head: Annotated[str | None, Parameter(help="hash that a file must end at")] = None,
    key: Annotated[
        str | None, Parameter(help="public key that you kept elsewhere, or a file that holds it")
    ] = None,
    json: Json = False,
) -> int:
    """Recompute a hash chain, stored or exported, and name the first place where it breaks.

    Without a target: every chain of the whole store, and the Merkle root of every tree head.
    """
    if target is None:
        from interface.cli import evidence  # noqa: PLC0415

        return evidence.verify_all(key, as_json=json)
    try:
        feature = id_of(target)
    except Malformed:
        from interface.cli import logbook  # noqa: PLC0415

        return logbook.verify_file(Path(target), head, as_json=json)
    from interface.cli import operations  # noqa: PLC0415

    return operations.log_verify(feature, as_json=json)


@log.command(name="orphans")
def log_orphans(*, json: Json = False) -> int:
    """Name stored files and requests to models that are in no log, as after a set-back."""
    from interface.cli import evidence  # noqa: PLC0415

    return evidence.orphans(as_json=json)


@log.command(name="key")
def log_key() -> int:
    """Print the public key that tree heads of the log are signed with: keep it elsewhere."""
    from interface.cli import evidence  # noqa: PLC0415

    return evidence.key()


@log.command(name="import")
def log_import(
    file: Path,
    *,
    head: Annotated[str | None, Parameter(help="hash that the file must end at")] = None,
    out: Annotated[Path | None, Parameter(help="file for the read models' rows, as JSON")] = None,
    json: Json = False,
) -> int:
    """Check an exported log and fold it in memory: each read model's hash; nothing is stored."""
    from interface.cli import logbook  # noqa: PLC0415

    return logbook.import_file(file, head, out, as_json=json)


@log.command(name="certify")
def log_certify(
    feature: Annotated[UUID | None, Parameter(converter=_id)] = None,
    *,
    all: Annotated[bool, Parameter(name="--all", negative="", help="every feature")] = False,  # noqa: A002
    json: Json = False,
) -> int:
    """Fold a log from its first event and compare with every read model, without any model."""
    if (feature is None) != all:
        fail("Name a feature, or say --all.")
        return 2
    from interface.cli import logbook  # noqa: PLC0415

    return logbook.certify(feature, as_json=json)


@projections.command(name="status")
def projections_status(*, json: Json = False) -> int:
    """How far each read model is, and what is parked."""
    from interface.cli import operations  # noqa: PLC0415

    return operations.projections_status(as_json=json)


@projections.command(name="rebuild")
def projections_rebuild(name: str = "all") -> int:
    """Build a read model (or all) anew from the log, then switch to it."""
    from interface.cli import operations  # noqa: PLC0415

    return operations.projections_rebuild(name)


@projections.command(name="parked")
def projections_parked(*, json: Json = False) -> int:
    """Features that a read model could not apply: at which event, why, and what to do."""
    from interface.cli import waiting  # noqa: PLC0415

    return waiting.projections_parked(as_json=json)


@projections.command(name="retry")
def projections_retry(name: str = "all") -> int:
    """Apply again what is parked in a read model (or all), after the cause was mended."""
    from interface.cli import waiting  # noqa: PLC0415

    return waiting.projections_retry(name)


@dead_letters.command(name="list")
def dead_letters_list(*, json: Json = False) -> int:
    """Print what waits for a decision, what it means, and what to do."""
    from interface.cli import waiting  # noqa: PLC0415

    return waiting.dead_letters_list(as_json=json)


@dead_letters.command(name="requeue")
def dead_letters_requeue(letter: Id) -> int:
    """Make the tasks of a dead letter's event after all."""
    from interface.cli import operations  # noqa: PLC0415

    return operations.dead_letters_requeue(letter)


@dead_letters.command(name="discard")
def dead_letters_discard(letter: Id) -> int:
    """Decide that nothing shall come of a dead letter."""
    from interface.cli import operations  # noqa: PLC0415

    return operations.dead_letters_discard(letter)


@usage.command(name="recompute")
def usage_recompute(
    *,
    prices: Annotated[
        str, Parameter(help="version of a price table, or a file in the shape of prices.toml")
    ],
    json: Json = False,
) -> int:
    """What all recorded runs would cost under another price table; nothing is changed."""
    from interface.cli import spending  # noqa: PLC0415

    return spending.recompute(prices, as_json=json)


@master_keys.command(name="status")
def keys_status(*, json: Json = False) -> int:
    """How many keys each master key wraps, and which are not needed any more."""
    from interface.cli import keys  # noqa: PLC0415

    return keys.status(as_json=json)


@master_keys.command(name="new")
def keys_new(
    file: Annotated[
        Path | None, Parameter(help="where to write it; unset: BP_MASTER_KEY_FILE")
    ] = None,
) -> int:
    """Make a master key in a file that only its owner can read; never over one that is there."""
    from interface.cli import keys  # noqa: PLC0415

    return keys.new(file)


@master_keys.command(name="add")
def keys_add() -> int:
    """Put a new master key in front of those in the key file; the first step of a rotation."""
    from interface.cli import keys  # noqa: PLC0415

    return keys.add()


@master_keys.command(name="rotate")
def keys_rotate() -> int:
    """Wrap everything under the first master key; the last step of a rotation."""
    from interface.cli import keys  # noqa: PLC0415

    return keys.rotate()


@master_keys.command(name="renew")
def keys_renew() -> int:
    """Make a new key that signs access tokens; nobody is signed out."""
    from interface.cli import keys  # noqa: PLC0415

    return keys.renew()


@app.command
def parked(*, json: Json = False) -> int:
    """List all that waits aside: what, since when, why, and when it is tried again."""
    from interface.cli import waiting  # noqa: PLC0415

    return waiting.everything(as_json=json)


@app.command
def openapi(*, check: bool = False) -> int:
    """Write interface/openapi.json from the routes, or check that it is fresh."""
    from interface.cli.generate import documents  # noqa: PLC0415

    return documents.openapi(check=check)


@app.command
def docs(*, check: bool = False) -> int:
    """Write the pages of docs that are made from the code, or check that they are fresh."""
    from interface.cli.generate import documents  # noqa: PLC0415

    return documents.docs(app, check=check)


def main() -> int:
    """Run a command from the arguments of the process."""
    try:
        result = app(sys.argv[1:])
    except CycloptsError as error:
        fail(f"{' '.join(str(error).split()).rstrip('.')}. Try --help.")
        return 2
    return result if isinstance(result, int) else 0
