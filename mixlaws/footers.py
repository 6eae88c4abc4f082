"""The footer of a Parquet file that we write has a sha256; Parquet has checksums of pages alone.

The footer itself holds the sha256, as a value of its metadata. The sha256 is computed with zeros in
its place. Other programs read such a file as any other.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

SEAL = {b"mixlaws.footer": b"0" * 64}
"""The entry of a file's metadata that `seal` fills in; to be written before the file is closed."""
_MAGIC = b"PAR1"
_CUT = "its end is not that of a Parquet file: it was cut off or overwritten"
((_KEY, _BLANK),) = SEAL.items()
# Between key and value Thrift's compact protocol writes the type of a text and its length, 64.
_MARK = _KEY + b"\x18\x40"


def seal(path: str | Path) -> None:
    """Write the sha256 of a Parquet file's footer into it, in place of the blank SEAL."""
    start, footer = _footer(Path(path))
    place = footer.index(_MARK + _BLANK) + len(_MARK)
    with open(path, "r+b") as file:
        file.seek(start + place)
        file.write(hashlib.sha256(footer).hexdigest().encode())


def check_footer(path: str | Path) -> None:
    """Raise ValueError, in words that follow the file's name, unless its footer has its sha256."""
    _, footer = _footer(Path(path))
    before, mark, rest = footer.partition(_MARK)
    written = rest[: len(_BLANK)]
    if not mark:
        raise ValueError("its footer has no checksum, so this program did not write it as it is")
    blank = before + mark + _BLANK + rest[len(_BLANK) :]
    if hashlib.sha256(blank).hexdigest().encode() != written:
        raise ValueError("its footer differs from its checksum")


def _footer(path: Path) -> tuple[int, bytes]:
    """Return where the footer starts, and its bytes with the length and magic number behind it."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        end = file.read()
        length = int.from_bytes(end[:4], "little") + 8
        if end[4:] != _MAGIC or length > size - 4:
            raise ValueError(_CUT)
        start = file.seek(size - length)
        return start, file.read()
