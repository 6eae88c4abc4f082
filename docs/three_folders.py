"""Copy text of this Python environment into three folders, which stand for yours in the tutorial.

    python docs/three_folders.py FOLDER

FOLDER/code has Python code, FOLDER/headers C and C++ headers, and FOLDER/prose descriptions of
packages.
Each document is one .txt file.
"""

import sys
import sysconfig
from pathlib import Path

KINDS = {"code": "*.py", "headers": "*.h", "prose": "METADATA"}
MAX_BYTES = 3_000_000
MIN_FILE_BYTES, MAX_FILE_BYTES = 1_000, 50_000


def main(folder: Path) -> None:
    """Write the three folders and print how much each one holds."""
    source = Path(sysconfig.get_path("purelib"))
    for kind, pattern in KINDS.items():
        (folder / kind).mkdir(parents=True, exist_ok=True)
        num_bytes = num_files = 0
        # Every seventh file: neighbours belong to one package and resemble each other.
        found = sorted(source.rglob(pattern))
        for path in (each for start in range(7) for each in found[start::7]):
            text = path.read_text(encoding="utf-8", errors="ignore")
            size = len(text.encode())
            if MIN_FILE_BYTES <= size <= MAX_FILE_BYTES and num_bytes + size <= MAX_BYTES:
                (folder / kind / f"{num_files:05d}.txt").write_text(text, encoding="utf-8")
                num_bytes, num_files = num_bytes + size, num_files + 1
        print(f"{folder / kind}: {num_files:,} files, {num_bytes / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
