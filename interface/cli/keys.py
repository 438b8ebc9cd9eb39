"""What operators do with the master key: see what it wraps, put a new one first, rewrap.

The key itself is never printed; keys are named by their ids.
"""

from pathlib import Path

from infrastructure.identity.signing_keys import FOLLOW_SECONDS, SigningKeys
from infrastructure.rewrapping import Rewrapper
from infrastructure.sealing import MasterKey
from interface.cli.console import OUT, fail, progress, say, show
from interface.cli.operations import OperatorContext, act
from interface.cli.up import refusing
from interface.foundation import configured, master_key, master_key_path

ROLE = "bp_keeper"


def status(*, as_json: bool) -> int:
    """Each master key that is given, and how many keys it wraps."""

    async def work(context: OperatorContext) -> int:
        master = master_key(context.settings)
        counts = await Rewrapper(context.database, master).count()
        rows = [
            {"master_key": key_id, "wraps": number, "role": _role(master, key_id, number)}
            for key_id, number in counts.items()
        ]
        show(rows, as_json=as_json, empty="There is no master key.")
        return 0

    return act(ROLE, work)


def _role(master: MasterKey, key_id: str, wraps: int) -> str:
    if key_id == master.id:
        return "current"
    if key_id not in master.ids:
        return "MISSING: what it wraps cannot be opened; give this key too"
    return "old: rotate, then it may go" if wraps else "old: may go from the file"


def new(path: Path | None) -> int:
    """A file with a new key, where there is none yet."""

    def command() -> int:
        file = path or master_key_path(configured(log_level="warning"))
        try:
            master = MasterKey.generate_file(file)
        except FileExistsError:
            fail(
                f"{file} is there already, and what is sealed under it opens under nothing else: "
                "a key is never overwritten. `keys add` puts a new one in front of it."
            )
            return 1
        except OSError as error:
            fail(f"{file} cannot be written: {error.strerror}.")
            return 1
        say(f"{file} holds the new master key {master.id}, for its owner's eyes only (mode 0600).")
        say("Keep a copy where no backup of the database is: without it nothing opens any more.")
        return 0

    return refusing(command)


def add() -> int:
    """A new key in front of those in the key file."""

    def command() -> int:
        settings = configured(log_level="warning")
        if settings.master_key is not None:
            fail(
                "The master key stands in BP_MASTER_KEY, which only you can change: docs/"
                "operations.md says how. Or keep it in a file (BP_MASTER_KEY_FILE)."
            )
            return 1
        path = master_key_path(settings)
        master = MasterKey.put_new_first(path)
        say(f"{path} begins with the new master key {master.id} now; the old ones follow it.")
        say("Give the file to every machine, then restart all processes, then run `keys rotate`.")
        return 0

    return refusing(command)


def rotate() -> int:
    """Wrap everything under the current key."""

    async def work(context: OperatorContext) -> int:
        master = master_key(context.settings)
        rewrapper = Rewrapper(context.database, master)

        def told(looked_at: int) -> None:
            progress(f"looked at {looked_at:,} keys")

        rewrapped = await rewrapper.rewrap(told)
        counts = await rewrapper.count()
        others = sum(number for key_id, number in counts.items() if key_id != master.id)
        if OUT.is_terminal:
            say()
        say(f"rewrapped {rewrapped:,} keys under {master.id}")
        if others:
            fail(
                f"{others:,} keys were wrapped under an old master key meanwhile, by a process "
                "that was not restarted: restart all of them, then run `keys rotate` again."
            )
            return 1
        if len(master.ids) > 1:
            say("The old master keys wrap nothing now: take them out when old backups are gone.")
        return 0

    return act(ROLE, work)


def renew() -> int:
    """Another key for access tokens."""

    async def work(context: OperatorContext) -> int:
        if context.settings.oidc_issuer is not None:
            fail("BP_OIDC_ISSUER signs the tokens here: renew its key there.")
            return 1
        key = await SigningKeys(context.database, master_key(context.settings)).rotate()
        say(f"{key.kid} signs from now on, in every process within {FOLLOW_SECONDS // 60} minutes.")
        say("Tokens of the old key are accepted until they end.")
        return 0

    return act("bp_api", work)
