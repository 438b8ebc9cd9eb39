"""Signed notes: what one key signed and nobody else, in a form that others can check."""

from base64 import b64decode, b64encode
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given as forall
from hypothesis import strategies as st

from application.transparency import SignedTreeHead
from application.transparency.ports import NoteRefused
from infrastructure.sealing import MasterKey, Unsealable
from infrastructure.transparency import NoteSigner, NoteVerifier, VerifierKeyInvalid

LOG = UUID(int=7)
SIGNER = NoteSigner.generate(LOG)
SAID = SignedTreeHead(SIGNER.origin, 5, b"\1" * 32, 9, datetime(2026, 1, 2, tzinfo=UTC))
NOTE = SIGNER.sign(SAID)
VERIFIER = NoteVerifier.from_text(SIGNER.text())


def test_a_note_is_what_the_specification_says() -> None:
    """Computed here by hand from the text of C2SP signed-note, not by our own code."""
    body, _, signature = NOTE.decode().rpartition("\n\n")
    dash, name, value = signature.rstrip("\n").split(" ")
    assert dash == "\u2014"
    assert name == SIGNER.origin == f"build-practical/log/{LOG}" == body.split("\n")[0]
    raw = b64decode(value)
    public = SIGNER.public
    assert raw[:4] == sha256(name.encode() + b"\n\x01" + public).digest()[:4]
    Ed25519PublicKey.from_public_bytes(public).verify(raw[4:], (body + "\n").encode())
    key_name, key_id, key = SIGNER.text().split("+", 2)
    assert (key_name, key_id, b64decode(key)) == (name, raw[:4].hex(), b"\x01" + public)


def test_the_same_tree_head_has_one_note() -> None:
    assert SIGNER.sign(SAID) == NOTE
    assert VERIFIER.read(NOTE) == SAID


@forall(st.integers(0, len(NOTE) * 8 - 1))
def test_no_bit_of_a_note_can_be_flipped(bit: int) -> None:
    changed = bytearray(NOTE)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NoteRefused):
        VERIFIER.read(bytes(changed))


@forall(st.binary(max_size=200))
def test_rubbish_is_refused(rubbish: bytes) -> None:
    with pytest.raises(NoteRefused):
        VERIFIER.read(rubbish)


def test_signatures_of_others_beside_ours_do_not_matter() -> None:
    other = b64encode(b"\1\2\3\4" + b"x" * 64).decode()
    assert VERIFIER.read(NOTE + f"\u2014 witness.example {other}\n".encode()) == SAID
    with pytest.raises(NoteRefused, match="not signed by the key"):
        VERIFIER.read(
            NOTE.rpartition("\u2014".encode())[0] + f"\u2014 w.example {other}\n".encode()
        )


def test_a_note_of_another_key_or_another_log_is_refused() -> None:
    with pytest.raises(NoteRefused):
        VERIFIER.read(NoteSigner.generate(LOG).sign(SAID))
    with pytest.raises(NoteRefused):
        NoteSigner.generate(UUID(int=8)).read(NOTE)


def test_a_signed_text_that_is_no_tree_head_of_this_log_is_refused() -> None:
    foreign = SignedTreeHead("another/log", 5, b"\1" * 32, 9, SAID.at)
    with pytest.raises(NoteRefused, match="of another log"):
        VERIFIER.read(SIGNER.sign(foreign))


def test_a_note_larger_than_any_is_refused() -> None:
    with pytest.raises(NoteRefused):
        VERIFIER.read(NOTE + NOTE.split(b"\n\n")[1] * 100)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000+",
        SIGNER.text().replace("+", " "),
        SIGNER.text().replace("build", "built"),
        SIGNER.text()[:-2],
        SIGNER.text().replace("+A", "+B"),
    ],
    ids=range(7),
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(VerifierKeyInvalid):
        NoteVerifier.from_text(text)


def test_a_verifier_key_reads_back_also_from_a_line_of_a_file() -> None:
    assert NoteVerifier.from_text(SIGNER.text() + "\n").text() == SIGNER.text()


def test_the_private_key_opens_for_its_own_log_only() -> None:
    master = MasterKey([bytes(32)])
    sealed = SIGNER.sealed(master)
    assert NoteSigner.opened(master, sealed, LOG).sign(SAID) == NOTE
    with pytest.raises(Unsealable):
        NoteSigner.opened(master, sealed, UUID(int=8))
