"""Train a compression dictionary for event bodies.

    python integrations/train_dictionary.py tests/events/*.ndjson demo.ndjson --out 003.zstd-dict

Every stored body names the dictionary it was written with, so a released file is never changed: a better one gets
the next number, and `CURRENT_DICTIONARY` in catalog/store/bodies.py moves on. Needs `zstandard`.

002 is of the recordings and of every eighth event that `catalog.demo.events` tells, the first one included: the demo
repeats itself night after night, and with more of it the recordings took 50 bytes an event more. Of the events that
benchmarks make up none was taken.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import zstandard

SIZE = 98_304
LEVEL = 6


def train(samples: list[bytes | bytearray | memoryview[int]]) -> zstandard.ZstdCompressionDict:
    """A dictionary of at most 96 KiB: of more, the trainer made a worse one."""
    return zstandard.train_dictionary(SIZE, samples, level=LEVEL)


def main() -> None:
    """Read the arguments, write the file, and say what it gains on the samples themselves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args()
    if arguments.out.exists():
        sys.exit(f"{arguments.out} exists. A dictionary that bodies were written with is never changed.")
    # Two recordings are of one story: the same bytes are one event.
    lines = dict.fromkeys(line for file in arguments.files for line in file.read_bytes().splitlines() if line.strip())
    dictionary = train(list(lines))
    arguments.out.write_bytes(dictionary.as_bytes())
    compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=dictionary)
    before, after = sum(map(len, lines)), sum(len(compressor.compress(line)) for line in lines)
    print(f"{len(lines)} events, {before / len(lines):.0f} bytes each, {after / len(lines):.0f} with this dictionary")


if __name__ == "__main__":
    main()
