"""Speed and memory of reading and tokenizing, beside a plain loop and a peer, on real corpora.

    MIXLAWS_CORPORA=FOLDER python -m benchmarks.tokenization [--peer-python PYTHON] [--memory]

As a module, from the project's root: as a script it would stand in for Python's own `tokenize`.
FOLDER holds one .jsonl.gz per domain. Each row gets the same files, tokenizer and two cores.
For the row of datatrove give the Python of an environment of its own:

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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from mixlaws.documents import document_id
from mixlaws.domains import domain_source, write_documents
from mixlaws.duplicates import find_duplicates
from mixlaws.parts import Part, SourceFile, plan_parts, plan_shards
from mixlaws.tokenization import join_shards, write_shard
from mixlaws.tokenizer import train_tokenizer

NUM_CORES = 2
NUM_ROUNDS = 5
VOCABULARY_SIZE = 32_768
DOMAINS = ["arxiv", "book", "c4", "common_crawl", "stackexchange", "ubuntu_irc", "wikipedia"]
# The config's defaults, by which each of these files is one shard.
SIZES = {"part_bytes": 2**30, "shard_bytes": 2**28}
# Each core tokenizes each shard: seven shards of these sizes would not keep two busy to the end.
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
    """A folder with the corpora as domains of the workflow, read and tokenized step by step."""

    def __init__(self, source: Path, folder: Path, domains: list[str]) -> None:
        self.folder = folder
        self.options = {
            name: {"source": "files", "paths": [str(source / f"{name}.jsonl.gz")]}
            for name in domains
        }
        self.documents = {name: [folder / f"text/{name}/0.parquet"] for name in domains}
        self.duplicates = folder / "duplicates.parquet"
        self.tokenizer = folder / "tokenizer.json"

    def read(self, name: str) -> float:
        """Read one domain."""
        domain = domain_source(name, self.options[name], validation_share=0.1)
        began = time.process_time()
        write_documents(domain, Part(), self.documents[name][0])
        return time.process_time() - began

    def shards(self, name: str) -> list[tuple[str, int, int]]:
        """Return the shards of a domain, once for each core."""
        return [(name, k, copy) for k in range(len(self.plan(name))) for copy in range(NUM_COPIES)]

    def plan(self, name: str) -> list:
        """Return the shards of a domain."""
        parts = plan_parts(name, self.options[name], part_bytes=SIZES["part_bytes"])
        return plan_shards(parts, self.options[name], shard_bytes=SIZES["shard_bytes"])

    def tokenize(self, item: tuple[str, int, int]) -> float:
        """Tokenize one shard."""
        name, number, copy = item
        shard = self.plan(name)[number]
        output = self.folder / f"shards/{name}/{number}-{copy}.parquet"
        began = time.process_time()
        write_shard(self.documents[name], shard, self.duplicates, self.tokenizer, output=output)
        return time.process_time() - began

    def join(self, name: str) -> float:
        """Join the shards of a domain."""
        began = time.process_time()
        shards = [self.folder / f"shards/{name}/{k}-0.parquet" for k in range(len(self.plan(name)))]
        for split in ("train", "validation"):
            tokens = self.folder / f"tokens/{name}/{split}.bin"
            join_shards(shards, split=split, tokens=tokens, manifest=tokens.with_suffix(".json"))
        return time.process_time() - began


@dataclass(frozen=True)
class Spent:
    """What a way took, without the start of its processes."""

    seconds: float
    cpu_seconds: float

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds)


def best(rounds: list[list[Spent]]) -> Spent:
    """Return the sum over domains of the least of several rounds: the machine has other users."""
    return Spent(
        sum(min(spent.seconds for spent in domain) for domain in zip(*rounds, strict=True)),
        sum(min(spent.cpu_seconds for spent in domain) for domain in zip(*rounds, strict=True)),
    )


def spread(work: Callable, groups: list[list]) -> list[Spent]:
    """Do the work in NUM_CORES processes of one thread each, one group after the other."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(NUM_CORES) as pool:
        pool.map(abs, range(100), chunksize=1)
        spent = []
        for items in groups:
            began = time.perf_counter()
            cpu_seconds = sum(pool.map(work, items, chunksize=1))
            spent.append(Spent(time.perf_counter() - began, cpu_seconds))
        return spent


def texts_of(source: Path) -> dict[str, list[str]]:
    """Return the texts of each domain, repetitions left out, as the workflow leaves them."""
    seen = set()
    texts = {name: [] for name in DOMAINS}
    for name in DOMAINS:
        with gzip.open(source / f"{name}.jsonl.gz") as file:
            for line in file:
                text = json.loads(line)["text"]
                if (key := document_id(text)) not in seen:
                    seen.add(key)
                    texts[name].append(text)
    return texts


def batches_of(texts: list[str]) -> list[list[str]]:
    """Return the texts in batches."""
    batches, size = [[]], 0
    for text in texts:
        if size > BATCH_BYTES or len(batches[-1]) == 256:
            batches.append([])
            size = 0
        batches[-1].append(text)
        size += len(text)
    return batches


def plain_loop(source: Path, tokenizer: Path) -> list[Spent]:
    """Return the times of encode_batch_fast over all texts in memory, nothing written."""
    encoder = Tokenizer.from_file(str(tokenizer))
    encoder.encode_special_tokens = True
    domains = [batches_of(texts) for texts in texts_of(source).values()]
    encoder.encode_batch_fast(domains[0][0][:8])
    spent = []
    for batches in domains:
        began, cpu = time.perf_counter(), time.process_time()
        for batch in batches:
            encoder.encode_batch_fast(batch)
        spent.append(Spent(time.perf_counter() - began, time.process_time() - cpu))
    return spent


def peer(python: str, source: Path, bench: Bench) -> Spent:
    """Return the time of datatrove's tokenization of the same files; its CPU seconds are unseen."""
    links = bench.folder / "links"
    links.mkdir(exist_ok=True)
    for name, copy in itertools.product(DOMAINS, range(NUM_COPIES)):
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
    bench = Bench(source, folder, DOMAINS)
    num_bytes = sum(len(t.encode()) for texts in texts_of(source).values() for t in texts)
    print(f"{num_bytes / 1e6:.1f} MB of text, {NUM_CORES} cores, vocabulary {VOCABULARY_SIZE:,}")
    (read,) = spread(bench.read, [DOMAINS])
    began, cpu = time.perf_counter(), time.process_time()
    find_duplicates(bench.documents, near="validation", output=bench.duplicates)
    compare = Spent(time.perf_counter() - began, time.process_time() - cpu)
    if not bench.tokenizer.exists():
        train_tokenizer(
            bench.documents,
            bench.duplicates,
            vocabulary_size=VOCABULARY_SIZE,
            max_bytes=20_000_000,
            output=bench.tokenizer,
        )
    plain_rounds, rounds = [], []
    for _ in range(NUM_ROUNDS):
        plain_rounds.append(_plain(source, bench.tokenizer))
        rounds.append(spread(bench.tokenize, [bench.shards(name) for name in DOMAINS]))
    plain, copies = best(plain_rounds), best(rounds)
    ours = Spent(copies.seconds / NUM_COPIES, copies.cpu_seconds / NUM_COPIES)
    (join,) = spread(bench.join, [DOMAINS])
    print("x: times the speed of the plain loop, by the clock and by CPU seconds")
    _row("plain loop: encode_batch_fast, nothing written", num_bytes, plain, plain)
    _row("tokenize_shard: documents to token ids on disk", num_bytes, ours, plain)
    if python:
        theirs = best([[peer(python, source, bench)] for _ in range(2)])
        _row("datatrove: files to token ids on disk", num_bytes, theirs, plain)
    _row("read_part: files to documents, split and signatures", num_bytes, read, plain)
    _row("find_duplicates (one core)", num_bytes, compare, plain)
    _row("join_shards", num_bytes, join, plain)
    _row("all of ours", num_bytes, read + compare + ours + join, plain)


def _plain(source: Path, tokenizer: Path) -> list[Spent]:
    environment = os.environ | {"RAYON_NUM_THREADS": str(NUM_CORES)}
    command = [sys.executable, "-m", "benchmarks.tokenization", "--plain"]
    command += [str(source), str(tokenizer)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [Spent(*map(float, line.split())) for line in result.stdout.splitlines()]


def memory(folder: Path) -> None:
    """Print the peak memory of each job on a synthetic domain of 1 GiB."""
    (folder / "big").mkdir()
    generator = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(50_000)])
    size = 0
    with (folder / "big/big.jsonl").open("w") as file:
        while size < 2**30:
            text = " ".join(words[generator.zipf(1.3, 700) % len(words)])
            size += len(text)
            file.write(json.dumps({"text": text}) + "\n")
    bench = Bench(folder / "big", folder, ["big"])
    bench.options["big"]["paths"] = [str(folder / "big/big.jsonl")]
    bench.plan = lambda name: plan_shards(  # noqa: ARG005
        [Part((SourceFile("big.jsonl", 2**30),))], {"source": "files"}, shard_bytes=2**28
    )
    train = {"vocabulary_size": 2000, "max_bytes": 20_000_000, "output": bench.tokenizer}
    steps = {
        "read_part": lambda: bench.read("big"),
        "find_duplicates": lambda: find_duplicates(
            bench.documents, near="validation", output=bench.duplicates
        ),
        "make_tokenizer": lambda: train_tokenizer(bench.documents, bench.duplicates, **train),
        "tokenize_shard": lambda: [
            bench.tokenize(item) for item in bench.shards("big")[::NUM_COPIES]
        ],
        "join_shards": lambda: bench.join("big"),
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
        for spent in plain_loop(*map(Path, arguments.plain)):
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
