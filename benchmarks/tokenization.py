"""Speed and memory of reading and tokenizing, beside a plain loop and a peer, on real corpora.

    MIXLAWS_CORPORA=FOLDER python -m benchmarks.tokenization [--peer-python PYTHON] [--memory]

As a module, from the project's root, because it starts itself again as one. FOLDER holds the
.jsonl.gz files, which are read as one domain. Each row gets the same files, tokenizer and two
cores. For the row of datatrove give the Python of an environment of its own:

    python -m venv peers && peers/bin/pip install "datatrove[io,processing]" tokenizers==0.23.3

LitData has no row: it requires torchvision, which replaces torch. `--memory` prints the peak memory
of each job on a synthetic domain of 1 GiB instead.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from mixlaws.text.division import plan_parts, plan_shards
from mixlaws.text.documents import document_id
from mixlaws.text.duplicates import find_duplicates
from mixlaws.text.joining import join_shards
from mixlaws.text.reading import read_part
from mixlaws.text.tokenization import tokenize_shard
from mixlaws.text.tokenizer import train_tokenizer

NUM_CORES = 2
NUM_ROUNDS = 5
VOCABULARY_SIZE = 32_768
DOMAIN = "corpora"
FILES = ["arxiv", "book", "c4", "common_crawl", "stackexchange", "ubuntu_irc", "wikipedia"]
# The config's default, by which all of these files are one shard: of shards of a few MB the start
# (the tokenizer's file, an empty cache of words; some 0.5 s) would be a tenth.
SHARD_BYTES = 2**28
# Each core tokenizes the whole, so that both are busy to the end.
NUM_COPIES = NUM_CORES
BATCH_BYTES = 2**22

_PEER = """
import sys, time
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens import DocumentTokenizer
source, tokenizer, output, workers = sys.argv[1:]
if __name__ == "__main__":
    began = time.perf_counter()
    LocalPipelineExecutor(
        pipeline=[
            JsonlReader(source, glob_pattern="*.jsonl.gz"),
            DocumentTokenizer(output, tokenizer_name_or_path=tokenizer, eos_token="<|endoftext|>",
                              shuffle_documents=False),
        ],
        tasks=int(workers), workers=int(workers), logging_dir=output + "/logs",
    ).run()
    print("SECONDS", time.perf_counter() - began)
"""


class Bench:
    """A folder with files as one domain of the workflow, read and tokenized job by job."""

    def __init__(self, paths: list[Path], folder: Path) -> None:
        self.folder = folder
        self.options = {"source": "files", "paths": [str(path) for path in paths]}
        self.parts = plan_parts(DOMAIN, self.options, part_bytes=1)  # one a file
        self.shards = plan_shards(DOMAIN, self.options, self.parts, shard_bytes=SHARD_BYTES)
        self.documents = [folder / f"text/{part}.parquet" for part in range(len(self.parts))]
        self.duplicates = folder / "duplicates.parquet"
        self.tokenizer = folder / "tokenizer.json"

    def read(self, part: int) -> float:
        """Read one part; return the CPU seconds, as all of these do."""
        began = time.process_time()
        output = self.documents[part]
        read_part(DOMAIN, self.options, self.parts[part], validation_share=0.1, output=output)
        return time.process_time() - began

    def compare(self) -> float:
        """Find the duplicates."""
        began = time.process_time()
        documents = {DOMAIN: self.documents}
        find_duplicates(documents, near="validation", output=self.duplicates)
        return time.process_time() - began

    def train_tokenizer(self, vocabulary_size: int) -> None:
        """Train the tokenizer."""
        train_tokenizer(
            {DOMAIN: self.documents},
            self.duplicates,
            vocabulary_size=vocabulary_size,
            max_bytes=20_000_000,
            output=self.tokenizer,
        )

    def tokenize(self, item: tuple[int, int]) -> float:
        """Tokenize one shard, into files of the copy's number."""
        number, copy = item
        shard = self.shards[number]
        documents = [self.documents[part] for part in shard.parts]
        began = time.process_time()
        tokenize_shard(
            documents, shard, self.duplicates, self.tokenizer, output=self._shard(number, copy)
        )
        return time.process_time() - began

    def join(self, split: str) -> float:
        """Join the shards of a split."""
        began = time.process_time()
        shards = [self._shard(number, 0) for number in range(len(self.shards))]
        tokens = self.folder / f"tokens/{split}.bin"
        join_shards(shards, split=split, tokens=tokens, manifest=tokens.with_suffix(".json"))
        return time.process_time() - began

    def _shard(self, number: int, copy: int) -> Path:
        return self.folder / f"shards/{number}-{copy}.parquet"


@dataclass(frozen=True)
class Spent:
    """What a way took, without the start of its processes."""

    seconds: float
    cpu_seconds: float

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds)


def best(rounds: list[Spent]) -> Spent:
    """Return the least of several rounds: what else runs on the machine must not decide."""
    return Spent(min(s.seconds for s in rounds), min(s.cpu_seconds for s in rounds))


def spread(work: Callable, items: list) -> Spent:
    """Do the work in NUM_CORES processes of one thread each."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(NUM_CORES) as pool:
        pool.map(abs, range(100), chunksize=1)
        began = time.perf_counter()
        cpu_seconds = sum(pool.map(work, items, chunksize=1))
        return Spent(time.perf_counter() - began, cpu_seconds)


def texts_of(source: Path) -> Iterator[str]:
    """Yield the texts of every file, repetitions left out, as the workflow leaves them."""
    seen = set()
    for name in FILES:
        with gzip.open(source / f"{name}.jsonl.gz") as file:
            for line in file:
                text = json.loads(line)["text"]
                if (key := document_id(text)) not in seen:
                    seen.add(key)
                    yield text


def plain_loop(source: Path, tokenizer: Path) -> Spent:
    """Return the time of encode_batch_fast over all texts in memory, nothing written."""
    encoder = Tokenizer.from_file(str(tokenizer))
    encoder.encode_special_tokens = True
    batches, size = [[]], 0
    for text in texts_of(source):
        if size > BATCH_BYTES or len(batches[-1]) == 256:
            batches.append([])
            size = 0
        batches[-1].append(text)
        size += len(text)
    encoder.encode_batch_fast(batches[0][:8])
    began, cpu = time.perf_counter(), time.process_time()
    for batch in batches:
        encoder.encode_batch_fast(batch)
    return Spent(time.perf_counter() - began, time.process_time() - cpu)


def peer(python: str, source: Path, bench: Bench) -> Spent:
    """Return the time of datatrove's tokenization of the same files; its CPU seconds are unseen."""
    links = bench.folder / "links"
    links.mkdir(exist_ok=True)
    for name, copy in itertools.product(FILES, range(NUM_COPIES)):
        link = links / f"{name}-{copy}.jsonl.gz"
        if not link.exists():
            link.symlink_to((source / f"{name}.jsonl.gz").resolve())
    script = bench.folder / "peer.py"
    script.write_text(_PEER)
    with tempfile.TemporaryDirectory() as output:
        command = [python, str(script), str(links), str(bench.tokenizer), output, str(NUM_CORES)]
        # One thread for each of its two processes, as for ours.
        environment = os.environ | {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "true"}
        result = subprocess.run(command, capture_output=True, text=True, env=environment)
    if result.returncode:
        raise SystemExit(result.stderr[-3000:])
    return Spent(float(result.stdout.split("SECONDS")[1]) / NUM_COPIES, float("nan"))


def _row(name: str, num_bytes: int, spent: Spent, plain: Spent) -> None:
    print(
        f"{name:<52} {spent.seconds:7.1f} s {num_bytes / 1e6 / spent.seconds:7.2f} MB/s"
        f" {plain.seconds / spent.seconds:6.2f} x"
        f" {num_bytes / 1e6 / spent.cpu_seconds:7.2f} MB/CPU-s"
        f" {plain.cpu_seconds / spent.cpu_seconds:6.2f} x",
        flush=True,
    )


def speeds(source: Path, folder: Path, python: str | None) -> None:
    """Print a row for each way of reading and tokenizing the corpora."""
    bench = Bench([source / f"{name}.jsonl.gz" for name in FILES], folder)
    num_bytes = sum(len(text.encode()) for text in texts_of(source))
    print(f"{num_bytes / 1e6:.1f} MB of text, {NUM_CORES} cores, vocabulary {VOCABULARY_SIZE:,}")
    read = spread(bench.read, list(range(len(bench.parts))))
    began = time.perf_counter()
    compare_cpu = bench.compare()
    compare = Spent(time.perf_counter() - began, compare_cpu)
    bench.train_tokenizer(VOCABULARY_SIZE)
    plain_rounds, rounds = [], []
    shards = list(itertools.product(range(len(bench.shards)), range(NUM_COPIES)))
    for _ in range(NUM_ROUNDS):
        plain_rounds.append(_plain(source, bench.tokenizer))
        rounds.append(spread(bench.tokenize, shards))
    plain, copies = best(plain_rounds), best(rounds)
    ours = Spent(copies.seconds / NUM_COPIES, copies.cpu_seconds / NUM_COPIES)
    join = spread(bench.join, ["train", "validation"])
    print("x: times the speed of the plain loop, by the clock and by CPU seconds")
    _row("plain loop: encode_batch_fast, nothing written", num_bytes, plain, plain)
    _row("tokenize_shard: documents to token ids on disk", num_bytes, ours, plain)
    if python:
        theirs = best([peer(python, source, bench) for _ in range(2)])
        _row("datatrove: files to token ids on disk", num_bytes, theirs, plain)
    _row("read_part: files to documents, split and signatures", num_bytes, read, plain)
    _row("find_duplicates (one core)", num_bytes, compare, plain)
    _row("join_shards", num_bytes, join, plain)
    _row("all of ours", num_bytes, read + compare + ours + join, plain)


def _plain(source: Path, tokenizer: Path) -> Spent:
    environment = os.environ | {"RAYON_NUM_THREADS": str(NUM_CORES)}
    command = [sys.executable, "-m", "benchmarks.tokenization", "--plain"]
    command += [str(source), str(tokenizer)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return Spent(*map(float, result.stdout.split()))


def memory(folder: Path) -> None:
    """Print the peak memory of each job on a synthetic domain of 1 GiB."""
    generator = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(50_000)])
    size = 0
    path = folder / "big.jsonl"
    with path.open("w") as file:
        while size < 2**30:
            text = " ".join(words[generator.zipf(1.3, 700) % len(words)])
            size += len(text)
            file.write(json.dumps({"text": text}) + "\n")
    bench = Bench([path], folder)
    steps = {
        "read_part": lambda: bench.read(0),
        "find_duplicates": bench.compare,
        "make_tokenizer": lambda: bench.train_tokenizer(2000),
        "tokenize_shard": lambda: [
            bench.tokenize((number, 0)) for number in range(len(bench.shards))
        ],
        "join_shards": lambda: [bench.join(split) for split in ("train", "validation")],
    }
    print(f"{size / 2**30:.2f} GiB of synthetic text: peak memory of each job")
    for name, step in steps.items():
        process = os.fork()
        if process == 0:
            step()
            os._exit(0)
        _, status, used = os.wait4(process, 0)
        assert status == 0, name
        print(
            f"{name:<20} {used.ru_maxrss / 2**20:6.2f} GiB {used.ru_utime:8.1f} CPU s", flush=True
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", help="the Python of an environment with datatrove")
    parser.add_argument("--memory", action="store_true", help="peak memory on 1 GiB")
    parser.add_argument("--plain", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.plain:
        spent = plain_loop(*map(Path, arguments.plain))
        print(spent.seconds, spent.cpu_seconds)
        return
    corpora = os.environ.get("MIXLAWS_CORPORA")
    if not (corpora or arguments.memory):
        parser.error("MIXLAWS_CORPORA must name the folder of the corpora, but is not set")
    with tempfile.TemporaryDirectory() as folder:
        if arguments.memory:
            memory(Path(folder))
        else:
            speeds(Path(corpora), Path(folder), arguments.peer_python)


if __name__ == "__main__":
    main()
