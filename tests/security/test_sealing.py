"""Sealed records open where they belong and nowhere else."""

import os
import stat
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import assume
from hypothesis import given as forall
from hypothesis import strategies as st

from infrastructure.sealing import (
    TENANT_SCOPE,
    DataKey,
    MasterKey,
    MasterKeyUnusable,
    Unsealable,
    WrongMasterKey,
    bind,
)

TENANT = UUID("019a0000-0000-7000-8000-000000000001")
OTHER_TENANT = UUID("019a0000-0000-7000-8000-000000000002")
FEATURE = UUID("019a0000-0000-7000-8000-00000000000f")
KEY_ID = UUID("019a0000-0000-7000-8000-0000000000aa")
RECORD = UUID("019a0000-0000-7000-8000-0000000000ee")
SECRET = bytes(range(32))

plaintexts = st.one_of(
    st.binary(max_size=2048), st.binary(max_size=16).map(lambda part: part * 300)
)
parts = st.one_of(st.text(max_size=12), st.binary(max_size=12), st.uuids())


def data_key(
    key_id: UUID = KEY_ID,
    tenant: UUID = TENANT,
    scope: UUID | str = FEATURE,
    secret: bytes = SECRET,
) -> DataKey:
    return DataKey(key_id, tenant, scope, secret)


@forall(plaintexts, st.text(min_size=1, max_size=20), parts)
def test_any_bytes_come_back_as_they_were_sealed(
    plaintext: bytes, purpose: str, record: bytes | str | UUID
) -> None:
    sealed = data_key().seal(purpose, record, plaintext)
    assert data_key().open(purpose, record, sealed) == plaintext


@pytest.mark.parametrize(
    "elsewhere",
    [
        data_key(tenant=OTHER_TENANT),
        data_key(scope=TENANT_SCOPE),
        data_key(scope=RECORD),
        data_key(key_id=RECORD),
        data_key(secret=bytes(32)),
    ],
    ids=["other tenant", "tenant scope", "other feature", "other key id", "other key"],
)
@forall(plaintext=plaintexts)
def test_a_record_never_opens_under_another_tenant_scope_or_key(
    elsewhere: DataKey, plaintext: bytes
) -> None:
    sealed = data_key().seal("event", RECORD, plaintext)
    with pytest.raises(Unsealable):
        elsewhere.open("event", RECORD, sealed)


@forall(plaintexts, parts, parts)
def test_a_record_never_opens_under_another_record_id(
    plaintext: bytes, here: bytes | str | UUID, there: bytes | str | UUID
) -> None:
    assume(bind(here) != bind(there))
    sealed = data_key().seal("event", here, plaintext)
    with pytest.raises(Unsealable):
        data_key().open("event", there, sealed)


@forall(plaintexts, st.text(max_size=20), st.text(max_size=20))
def test_a_record_never_opens_for_another_purpose(plaintext: bytes, here: str, there: str) -> None:
    assume(here != there)
    sealed = data_key().seal(here, RECORD, plaintext)
    with pytest.raises(Unsealable):
        data_key().open(there, RECORD, sealed)


@forall(plaintexts, st.data())
def test_a_record_with_any_flipped_bit_never_opens(plaintext: bytes, data: st.DataObject) -> None:
    sealed = bytearray(data_key().seal("event", RECORD, plaintext))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Unsealable):
        data_key().open("event", RECORD, bytes(sealed))


def test_every_byte_of_a_record_is_covered() -> None:
    for plaintext in (b"short", b"long enough to be compressed " * 40):
        sealed = data_key().seal("event", RECORD, plaintext)
        for at in range(len(sealed)):
            damaged = sealed[:at] + bytes([sealed[at] ^ 0x01]) + sealed[at + 1 :]
            with pytest.raises(Unsealable):
                data_key().open("event", RECORD, damaged)


@forall(plaintexts, st.data())
def test_a_cut_record_never_opens(plaintext: bytes, data: st.DataObject) -> None:
    sealed = data_key().seal("event", RECORD, plaintext)
    with pytest.raises(Unsealable):
        data_key().open("event", RECORD, sealed[: data.draw(st.integers(0, len(sealed) - 1))])


@forall(st.binary(max_size=200))
def test_bytes_that_were_never_sealed_do_not_open(noise: bytes) -> None:
    with pytest.raises(Unsealable):
        data_key().open("event", RECORD, noise)


def test_the_same_plaintext_never_gives_the_same_bytes_twice() -> None:
    key = data_key()
    assert len({key.seal("event", RECORD, b"hello") for _ in range(100)}) == 100


def test_a_long_text_is_stored_compressed_and_noise_is_not() -> None:
    assert len(data_key().seal("event", RECORD, b"As a user I want " * 300)) < 300
    noise = os.urandom(5000)
    assert len(data_key().seal("event", RECORD, noise)) == len(noise) + 30


@forall(st.lists(parts, max_size=5), st.lists(parts, max_size=5))
def test_different_parts_are_bound_differently(
    left: list[bytes | str | UUID], right: list[bytes | str | UUID]
) -> None:
    def raw(part: bytes | str | UUID) -> bytes:
        if isinstance(part, UUID):
            return part.bytes
        return part.encode() if isinstance(part, str) else part

    assert (bind(*left) == bind(*right)) == ([raw(x) for x in left] == [raw(x) for x in right])


def test_a_wrapped_data_key_opens_what_the_original_sealed() -> None:
    master = MasterKey.from_text(MasterKey.generate_text())
    key = DataKey.generate(KEY_ID, TENANT, FEATURE)
    again = DataKey.unwrap(master, key.wrap(master), KEY_ID, TENANT, FEATURE)
    assert again.open("event", RECORD, key.seal("event", RECORD, b"hello")) == b"hello"


@pytest.mark.parametrize(
    ("key_id", "tenant", "scope"),
    [
        (RECORD, TENANT, FEATURE),
        (KEY_ID, OTHER_TENANT, FEATURE),
        (KEY_ID, TENANT, TENANT_SCOPE),
    ],
)
def test_a_wrapped_data_key_does_not_open_in_another_row(
    key_id: UUID, tenant: UUID, scope: UUID | str
) -> None:
    master = MasterKey.from_text(MasterKey.generate_text())
    wrapped = DataKey.generate(KEY_ID, TENANT, FEATURE).wrap(master)
    with pytest.raises(Unsealable, match="another tenant or scope"):
        DataKey.unwrap(master, wrapped, key_id, tenant, scope)


@forall(st.data())
def test_a_wrapped_data_key_with_any_flipped_bit_never_opens(data: st.DataObject) -> None:
    master = MasterKey([SECRET])
    wrapped = bytearray(data_key().wrap(master))
    wrapped[data.draw(st.integers(0, len(wrapped) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((Unsealable, WrongMasterKey)):
        DataKey.unwrap(master, bytes(wrapped), KEY_ID, TENANT, FEATURE)


def test_another_master_key_gives_one_clear_error_that_names_both() -> None:
    old = MasterKey.from_text(MasterKey.generate_text())
    new = MasterKey.from_text(MasterKey.generate_text())
    wrapped = DataKey.generate(KEY_ID, TENANT, FEATURE).wrap(old)
    with pytest.raises(WrongMasterKey, match="does not open this data folder") as refused:
        DataKey.unwrap(new, wrapped, KEY_ID, TENANT, FEATURE)
    assert old.id in str(refused.value)
    assert new.id in str(refused.value)
    with pytest.raises(WrongMasterKey):
        new.require(old.id)


def test_a_process_reads_its_key_file_again_when_it_meets_a_key_it_does_not_know(
    tmp_path: Path,
) -> None:
    path = tmp_path / "master.key"
    running = MasterKey.generate_file(path)
    old_id = running.id
    restarted = MasterKey.put_new_first(path)
    assert (running.id, restarted.ids) == (old_id, (restarted.id, old_id))
    assert running.unwrap(restarted.wrap(SECRET, b"c"), b"c") == SECRET
    assert running.ids == restarted.ids
    foreign = MasterKey([b"f" * 32]).wrap(SECRET, b"c")
    with pytest.raises(WrongMasterKey):
        running.unwrap(foreign, b"c")


def test_a_rotated_master_key_opens_old_keys_and_wraps_under_the_new_one() -> None:
    old_text, new_text = MasterKey.generate_text(), MasterKey.generate_text()
    old, both = MasterKey.from_text(old_text), MasterKey.from_text(f"{new_text}\n{old_text}\n")
    key = DataKey.generate(KEY_ID, TENANT, FEATURE)
    opened = DataKey.unwrap(both, key.wrap(old), KEY_ID, TENANT, FEATURE)
    rewrapped = opened.wrap(both)
    assert both.wrapped_under(rewrapped) == both.id == MasterKey.from_text(new_text).id
    alone = MasterKey.from_text(new_text)
    again = DataKey.unwrap(alone, rewrapped, KEY_ID, TENANT, FEATURE)
    assert again.open("event", RECORD, key.seal("event", RECORD, b"hello")) == b"hello"


def test_a_generated_key_file_is_private_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    made = MasterKey.generate_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert MasterKey.from_file(path).id == made.id
    assert list(tmp_path.iterdir()) == [path]
    path.chmod(0o400)
    assert MasterKey.from_file(path).id == made.id


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    first = MasterKey.generate_file(path)
    with pytest.raises(FileExistsError):
        MasterKey.generate_file(path)
    assert MasterKey.from_file(path).id == first.id
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    MasterKey.generate_file(path)
    path.chmod(mode)
    with pytest.raises(MasterKeyUnusable, match="chmod 600"):
        MasterKey.from_file(path)


@pytest.mark.parametrize("content", [b"", b"\n", b"hunter2", b"bpmk_short", b"\xff\xfe", b"a" * 64])
def test_a_file_without_a_key_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(MasterKeyUnusable, match="holds no master key") as refused:
        MasterKey.from_file(path)
    assert refused.value.__cause__ is None
    assert "hunter2" not in str(refused.value)


def test_a_missing_key_file_or_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyUnusable, match="there is no master key file"):
        MasterKey.from_file(tmp_path / "none")
    with pytest.raises(MasterKeyUnusable, match="regular file"):
        MasterKey.from_file(tmp_path)


def test_keys_show_no_key_material() -> None:
    text = MasterKey.generate_text()
    for shown in (repr(MasterKey.from_text(text)), repr(data_key())):
        assert text not in shown
        assert SECRET.hex() not in shown


def test_the_id_of_a_master_key_is_stable_across_releases() -> None:
    assert MasterKey([SECRET]).id == "0ce10b53"


def test_a_record_sealed_by_the_first_release_still_opens() -> None:
    sealed = bytes.fromhex("0100d575a544c0fea8698f406c092aecd8c28ebe828908ab11bbe0eda0d8da8b57eb7a")
    assert data_key().open("event", RECORD, sealed) == b"hello"
