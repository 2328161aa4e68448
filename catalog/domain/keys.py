"""How a key is spelled: `cat_`, thirty random characters, and a checksum by which a typo is seen without asking."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final
from zlib import crc32

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_LENGTH: Final = 30
"""Random characters: 178 bits, so that a plain hash of them is as good as a slow one."""

PREFIX_LENGTH: Final = 8
"""Random characters that are stored as they are: people tell keys apart by them. 130 bits stay secret."""

_MARK: Final = "cat_"
_CHECKSUM_LENGTH: Final = 6
_SPELLING: Final = re.compile(rf"{_MARK}[0-9A-Za-z]{{{RANDOM_LENGTH + _CHECKSUM_LENGTH}}}")


def spell(random: str) -> str:
    """The key with these random characters of the alphabet."""
    body = _MARK + random
    return body + _checksum(body)


def is_key(text: str) -> bool:
    """Whether this is spelled like a key, checksum included; whether it is known is another matter."""
    return _SPELLING.fullmatch(text) is not None and _checksum(text[:-_CHECKSUM_LENGTH]) == text[-_CHECKSUM_LENGTH:]


def prefix(key: str) -> str:
    """What a key is called, here and in every list. Takes a whole key or its prefix."""
    return key.removeprefix(_MARK)[:PREFIX_LENGTH]


def digest(key: str) -> bytes:
    """What is stored instead of the key."""
    return sha256(key.encode()).digest()


def _checksum(text: str) -> str:
    number, digits = crc32(text.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
