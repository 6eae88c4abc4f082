"""Time what Snakemake needs to plan: a dry run, and a run that finds nothing to do.

    python benchmarks/planning.py [NUM_SEEDS ...]     1,000 runs per seed; default 1 and 10

Prints one row per number of runs: CPU seconds, wall seconds and memory of each. Nothing is trained:
the outputs of a plan are made as empty files, and Snakemake is told that they are whole.
"""

import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = ["Snakefile", "mixlaws", "workflow", "envs"]
CONFIG = ROOT / "tests" / "workflow" / "scale.yaml"
OUTPUT = re.compile(r"^ +output: (.*)$", re.MULTILINE)


def copy(folder: Path, num_seeds: int) -> None:
    """Copy the workflow, with a config of so many seeds."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    seeds = f"seeds: {list(range(num_seeds))}"
    config = re.sub(r"seeds: \[.*\]", seeds, CONFIG.read_text())
    (folder / "config.yaml").write_text(config)


def timed(folder: Path, *arguments: str) -> tuple[str, str]:
    """Run Snakemake; return what it printed, and "CPU s, wall s, MiB"."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.returncode:
        sys.exit(result.stdout[-2000:] + result.stderr[-2000:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return result.stdout + result.stderr, f"{cpu:.1f} | {wall:.1f} | {after.ru_maxrss / 1024:.0f}"


def pretend(folder: Path, planned: str) -> None:
    """Make every output of a plan as an empty file or folder, older before newer."""
    names = [name for line in OUTPUT.findall(planned) for name in line.split(", ")]
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix:
            path.touch()
        else:
            path.mkdir(exist_ok=True)
    timed(folder, "--touch", "--quiet", "all")


def main() -> None:
    """Print the table."""
    print("| runs | | CPU s | wall s | peak MiB |\n|---|---|---|---|---|")
    for num_seeds in map(int, sys.argv[1:] or ["1", "10"]):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            copy(folder, num_seeds)
            planned, _ = timed(folder, "--dry-run")
            _, dry = timed(folder, "--dry-run", "--quiet", "all")
            print(f"| {num_seeds * 1000:,} | dry run | {dry} |", flush=True)
            pretend(folder, planned)
            said, second = timed(folder)
            if "Nothing to be done" not in said:
                sys.exit(said[-2000:])
            print(f"| {num_seeds * 1000:,} | nothing to do | {second} |", flush=True)


if __name__ == "__main__":
    main()
