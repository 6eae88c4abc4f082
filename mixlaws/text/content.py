"""What a file holds, told from its first bytes: a name may say something else."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mixlaws.errors import DataError

HEAD_BYTES = 4096
"""Bytes at the start of a file that tell what it holds."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LFS = "Run `git lfs pull` in its repository, or download the file itself"


@dataclass(frozen=True)
class _Kind:
    """A kind of file that is recognised."""

    magic: bytes
    """Regular expression of the first bytes."""
    name: str
    suffix: str = ""
    """What the name of a file that can be read ends in; empty if there is no reader."""
    remedy: str = "Extract its text first, and name .jsonl or .parquet files"


_KINDS = [
    _Kind(rb"\x1f\x8b", "gzip", ".gz"),
    _Kind(rb"[\x50-\x5f]\x2aM\x18|\x28\xb5\x2f\xfd", "Zstandard", ".zst"),
    _Kind(rb"PAR1", "Parquet", ".parquet"),
    _Kind(rb"ARROW1", "Arrow", ".arrow"),
    _Kind(rb"PK\x03\x04", "a zip archive", remedy="Unpack it first"),
    _Kind(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", "bzip2", remedy="Unpack it first: `bunzip2 FILE`"),
    _Kind(rb"\xfd7zXZ\x00", "xz", remedy="Unpack it first: `unxz FILE`"),
    _Kind(rb"7z\xbc\xaf\x27\x1c", "a 7z archive", remedy="Unpack it first"),
    _Kind(rb"(?s:.{257})ustar", "a tar archive", remedy="Unpack it first: `tar -xf FILE`"),
    _Kind(rb"Obj\x01", "Avro"),
    _Kind(rb"ORC[\x00-\x1f]", "ORC"),
    _Kind(rb"%PDF-", "a PDF document"),
    _Kind(rb"SQLite format 3\x00", "an SQLite database"),
    _Kind(rb"version https://git-lfs", "a Git LFS pointer, not the file itself", remedy=_LFS),
    _Kind(
        rb"[./]*/annex/objects/",
        "a git-annex pointer, not the file itself",
        remedy="Run `git annex get` in its repository",
    ),
]
_BY_SUFFIX = {kind.suffix: kind for kind in _KINDS if kind.suffix}
# Shares of NUL among the bytes of a character, in text that is mostly ASCII.
_FEW, _SOME, _MANY = 0.1, 0.3, 0.9
# Little-endian Arrow streams begin with a continuation mark, older ones with a length.
_ARROW_STREAM = re.compile(rb"\xff\xff\xff\xff|(?s:..\x00\x00)")


def check_file(head: bytes, place: str, suffix: str) -> None:
    """Check the first bytes of a file whose name ends in `suffix`, as they are on disk.

    Raises DataError that names what the file holds, if its name says otherwise, and for an empty
    file that should be an archive.
    """
    wanted = _BY_SUFFIX.get(f".{suffix.rpartition('.')[2]}")
    if wanted and not head:
        raise DataError(f"{place} has 0 bytes, which no {wanted.name} file has. Copy it again")
    found = next((kind for kind in _KINDS if re.match(kind.magic, head)), None)
    if found is wanted or (suffix == ".arrow" and not found and _ARROW_STREAM.match(head)):
        if found is None:
            check_text(head, place)
        return
    if found is None:
        is_text = b"\x00" not in head and _is_utf8(head)
        kind = "plain text" if is_text else f"something else (its first bytes are {head[:4]!r})"
        remedy = "Rename it, to .jsonl if it holds JSON lines" if is_text else "Copy it again"
        raise DataError(f"{place} is not {wanted.name if wanted else ''} but {kind}. {remedy}")
    raise DataError(f"{place} is {found.name}, although it ends in {suffix}. {_remedy(found)}")


def check_text(head: bytes, place: str) -> None:
    """Check the first bytes of text, unpacked. Raises DataError naming another encoding or kind."""
    found = next((kind for kind in _KINDS if re.match(kind.magic, head)), None)
    if found:
        raise DataError(f"{place}, unpacked, is {found.name} again. {_remedy(found)}")
    if encoding := _wide_encoding(head):
        raise DataError(
            f"{place} is {encoding}, not UTF-8. Convert it: `iconv -f {encoding.split()[0]} -t "
            "UTF-8 FILE`"
        )


def check_json_lines(line: bytes, place: str) -> None:
    """Check the first line of JSON lines; raise DataError if the file is one JSON value."""
    text = line.strip()
    if re.match(rb"\[\s*(\{|$)", text):
        raise DataError(
            f"{place} is one JSON array, not JSON lines. Write one object a line: "
            "`jq -c '.[]' FILE > FILE.jsonl`"
        )
    if re.search(rb"\}\s*\r\s*\{", text):
        raise DataError(
            f"{place} ends its lines with CR alone. Write LF: `tr '\\r' '\\n' < FILE > NEW.jsonl`"
        )
    if text == b"{":
        raise DataError(
            f"{place} is JSON over several lines, not JSON lines. Write one object a line: "
            "`jq -c . FILE > FILE.jsonl`"
        )


def _remedy(kind: _Kind) -> str:
    if kind.suffix in (".gz", ".zst"):
        return f"Rename it to .jsonl{kind.suffix} if it holds JSON lines, or unpack it first"
    return f"Rename it to {kind.suffix}" if kind.suffix else kind.remedy


def _wide_encoding(head: bytes) -> str:
    """Return the name of an encoding of two or four bytes a character, or an empty string."""
    marks = {b"\xff\xfe\x00\x00": "UTF-32", b"\x00\x00\xfe\xff": "UTF-32"}
    marks |= {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
    for mark, name in marks.items():
        if head.startswith(mark):
            return name
    if len(head) < 8 or not head.strip(b"\x00"):
        return ""
    nul = [head[start::4].count(0) / len(head[start::4]) for start in range(4)]
    if sorted(nul)[1] > _MANY and min(nul) < _FEW:
        return f"UTF-32{'LE' if nul[0] < _FEW else 'BE'} without a byte-order mark"
    even, odd = nul[0] + nul[2], nul[1] + nul[3]
    if max(even, odd) > 2 * _SOME and min(even, odd) < 2 * _FEW:
        return f"UTF-16{'LE' if odd > even else 'BE'} without a byte-order mark"
    return ""


def _is_utf8(head: bytes) -> bool:
    try:
        head[:-4].decode()
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 8
    return True
