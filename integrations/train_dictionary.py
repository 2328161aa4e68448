"""Train a compression dictionary for event bodies from recorded events.

    python integrations/train_dictionary.py tests/events/*.ndjson --out catalog/store/dictionaries/002.zstd-dict

Every stored body names the dictionary it was written with, so a released file is never changed: a better one gets
the next number, and `CURRENT_DICTIONARY` in catalog/store/bodies.py moves on. Needs `zstandard`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import zstandard

SIZE = 112_640


def train(files: list[Path]) -> bytes:
    """A dictionary of at most 110 KiB from the lines of these files."""
    samples = [line for file in files for line in file.read_bytes().splitlines() if line.strip()]
    return zstandard.train_dictionary(SIZE, samples, level=3).as_bytes()


def main() -> None:
    """Read the arguments, write the file, and say what it gains on the samples themselves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args()
    dictionary = train(sorted(arguments.files))
    if arguments.out.exists():
        sys.exit(f"{arguments.out} exists. A dictionary that bodies were written with is never changed.")
    arguments.out.write_bytes(dictionary)
    compressor = zstandard.ZstdCompressor(level=3, dict_data=zstandard.ZstdCompressionDict(dictionary))
    lines = [line for file in arguments.files for line in file.read_bytes().splitlines() if line.strip()]
    before, after = sum(map(len, lines)), sum(len(compressor.compress(line)) for line in lines)
    print(f"{len(lines)} events, {before / len(lines):.0f} bytes each, {after / len(lines):.0f} with this dictionary")


if __name__ == "__main__":
    main()
