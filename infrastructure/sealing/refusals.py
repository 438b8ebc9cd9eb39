"""What sealing refuses. No message ever holds key material or plaintext."""

from application.running.outage import NeedsOperator


class Unsealable(Exception):
    """The sealed record does not open."""


class MasterKeyUnusable(NeedsOperator):
    """The master key cannot be used."""


class WrongMasterKey(MasterKeyUnusable):
    """The master key does not open this data folder."""

    def __init__(self, sealed_under: str, given: tuple[str, ...]) -> None:
        """Name both sides by id, so that an operator can find the right key."""
        super().__init__(
            f"the master key does not open this data folder: it was sealed under master key "
            f"{sealed_under}, but the keys given are {', '.join(given)}; give the old key after "
            f"the new one, or restore the key file that belongs to this data"
        )
        self.sealed_under = sealed_under
