import hmac
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from catalog.evidence.commitment import SALT_BYTES, SALT_LENGTHS, commit, entry_bytes

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = (datetime.min.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
LATEST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
EVERY_ASCII = "".join(map(chr, range(0x80)))
TEXTS = ("log", "type", "subject", "actor", "payload_alg")

ENTRY = {
    "log": "lineage.example/log",
    "type": "event",
    "subject": "urn:lineage:run:0196f3f0-7a1b-7c3e-8d52-1d2b3c4d5e6f",
    "recorded_at": 1_764_000_000_000_001,
    "actor": "service:etl",
    "payload_alg": "raw",
    "payload_commit": bytes(range(32)),
}

texts = st.text(st.characters(exclude_categories=["Cs"]))
lone_surrogates = st.characters(categories=["Cs"])


@pytest.mark.parametrize("length", sorted(SALT_LENGTHS))
def test_a_commitment_is_the_hmac_of_rfc_4231(length: int):
    # RFC 4231 has no key as long as a salt; its test case 2, padded with the zeros HMAC itself would add, is one.
    salt = b"Jefe".ljust(length, b"\0")
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert commit(b"what do ya want for nothing?", salt).hex() == expected


def test_a_new_salt_has_128_bits_and_salts_of_256_still_open():
    assert SALT_BYTES == 16
    assert sorted(SALT_LENGTHS) == [16, 32]


@given(
    st.binary(),
    st.sampled_from(sorted(SALT_LENGTHS)).flatmap(lambda length: st.binary(min_size=length, max_size=length)),
)
def test_a_commitment_is_hmac_sha_256_keyed_by_the_salt(payload: bytes, salt: bytes):
    assert commit(payload, salt) == hmac.new(salt, payload, sha256).digest()


@pytest.mark.parametrize("length", [0, 4, 15, 17, 31, 33, 64])
def test_a_salt_of_another_length_is_refused(length: int):
    with pytest.raises(ValueError, match="16 bytes"):
        commit(b"payload", bytes(length))


def test_an_entry_is_these_bytes():
    assert entry_bytes(**ENTRY) == (
        b'{"actor":"service:etl","log":"lineage.example/log","payload_alg":"raw",'
        b'"payload_commit":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",'
        b'"recorded_at":"2025-11-24T16:00:00.000001Z",'
        b'"subject":"urn:lineage:run:0196f3f0-7a1b-7c3e-8d52-1d2b3c4d5e6f","type":"event","v":1}'
    )


@given(
    st.fixed_dictionaries(dict.fromkeys(TEXTS, texts)),
    st.integers(EARLIEST, LATEST),
    st.binary(min_size=32, max_size=32),
)
@example(dict.fromkeys(TEXTS, EVERY_ASCII), EARLIEST, bytes(32))
@example(dict.fromkeys(TEXTS, "\x7f\x80\x9f\u2028\u2029\ufeff\ufffd\uffff\U0001f600\U0010ffff"), LATEST, bytes(32))
def test_an_entry_is_what_rfc_8785_makes_of_its_envelope(
    fields: dict[str, str], recorded_at: int, payload_commit: bytes
):
    moment = EPOCH + timedelta(microseconds=recorded_at)
    envelope = {
        "v": 1,
        **fields,
        "recorded_at": moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z",
        "payload_commit": payload_commit.hex(),
    }
    entry = entry_bytes(**fields, recorded_at=recorded_at, payload_commit=payload_commit)
    assert entry == rfc8785.dumps(envelope)
    assert json.loads(entry) == envelope


def test_every_code_point_is_written_as_rfc_8785_writes_it():
    text = "".join(chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000)
    entry = entry_bytes(**{**ENTRY, "subject": text})
    assert b'"subject":' + rfc8785.dumps(text) + b',"type"' in entry


@given(st.sampled_from(TEXTS), texts, lone_surrogates, texts)
def test_a_lone_surrogate_is_refused_in_every_text(field: str, before: str, surrogate: str, after: str):
    with pytest.raises(ValueError, match="surrogates not allowed"):
        entry_bytes(**{**ENTRY, field: before + surrogate + after})


@pytest.mark.parametrize(
    ("recorded_at", "written"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (1_582_934_400_000_000, "2020-02-29T00:00:00.000000Z"),
        (EARLIEST, "0001-01-01T00:00:00.000000Z"),
        (LATEST, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_the_time_is_written_in_utc_with_six_digits(recorded_at: int, written: str):
    assert json.loads(entry_bytes(**{**ENTRY, "recorded_at": recorded_at}))["recorded_at"] == written


@pytest.mark.parametrize("recorded_at", [EARLIEST - 1, LATEST + 1, 10**30])
def test_a_time_outside_the_calendar_is_refused(recorded_at: int):
    with pytest.raises(ValueError, match="outside the years"):
        entry_bytes(**{**ENTRY, "recorded_at": recorded_at})


def test_a_commitment_of_another_length_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        entry_bytes(**{**ENTRY, "payload_commit": bytes(31)})
