from importlib.resources import files

import pytest
import zstandard

from catalog.store import bodies

NUMBERS = sorted(
    int(file.name.partition(".")[0])
    for file in files("catalog.store").joinpath("dictionaries").iterdir()
    if file.name.endswith(".zstd-dict")
)
EVENT = b'{"eventType": "COMPLETE", "job": {"namespace": "etl", "name": "load"}, "inputs": [], "outputs": []}'


def test_bodies_are_written_with_the_newest_dictionary() -> None:
    assert list(range(1, bodies.CURRENT_DICTIONARY + 1)) == NUMBERS
    assert bodies.pack(EVENT)[0] == bodies.CURRENT_DICTIONARY


@pytest.mark.parametrize("number", NUMBERS)
def test_a_body_written_with_any_released_dictionary_opens(number: int) -> None:
    data = files("catalog.store").joinpath("dictionaries", f"{number:03}.zstd-dict").read_bytes()
    dictionary = zstandard.ZstdCompressionDict(data)
    body = zstandard.ZstdCompressor(level=3, dict_data=dictionary, write_dict_id=False).compress(EVENT)
    assert bodies.unpack(number, body) == EVENT


def test_what_no_dictionary_helps_is_compressed_without_one_and_opens() -> None:
    large = EVENT * 4_000
    number, body = bodies.pack(large)
    assert number == 0
    assert bodies.unpack(number, body) == large
