"""Text in the workflow: shards, caps, caches and faults, from real files to token files."""

import gzip
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from workflow_project import ROOT

ACCOUNTING = "results/text/accounting.csv"
CHECKED = "results/text/tokens/checked.json"
NUM_FILES = 4


def make_config(folder, **changes):
    """Write a config over two domains of files, and their text."""
    config = yaml.safe_load((ROOT / "tests/workflow/smoke.yaml").read_text())
    config["experiment"] = "text"
    config["domains"] = {
        name: {"source": "files", "paths": [f"text/{name}/*.jsonl.gz"]} for name in ("web", "docs")
    }
    config["duplicates"] = {"near": "validation"}
    config["validation"]["weights"] = {"web": 0.5, "docs": 0.5}
    config["mixtures"]["limits"] = {"web": [0.125, 0.875]}
    for key, value in changes.items():
        config[key] = value
    (folder / "text.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return config


def write_text(folder, name, *, num_documents=240, num_files=NUM_FILES):
    generator = np.random.default_rng(len(name))
    (folder / "text" / name).mkdir(parents=True)
    for number in range(num_files):
        rows = generator.integers(0, 4000, (num_documents // num_files, 60))
        texts = [" ".join(f"{name}{word}" for word in row) for row in rows]
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        path = folder / "text" / name / f"{number}.jsonl.gz"
        path.write_bytes(gzip.compress(lines.encode(), mtime=0))


@pytest.fixture
def project(fresh):
    for name in ("web", "docs"):
        write_text(fresh.folder, name)
    make_config(fresh.folder)
    return fresh


def run(project, *arguments, target=ACCOUNTING, check=True):
    output = project.snakemake(
        *(["--", target] if target else []), config="text.yaml", check=check, before=arguments
    )
    logs = project.folder.glob("results/**/*.log")
    return output + "".join(path.read_text() for path in logs)


def token_files(project):
    folder = project.folder / "results/text/tokens"
    paths = sorted(path for path in folder.rglob("*") if path.name != "division.json")
    found = {path.relative_to(folder): path.read_bytes() for path in paths if path.is_file()}
    assert found
    return found


def left_behind(project):
    """Return what a failed run left: temporary files, and results that its failure spoilt."""
    results = project.folder / "results"
    temporary = [path for path in results.rglob("*") if path.name.endswith(".tmp")]
    return [*temporary, *results.rglob("*.csv")]


@pytest.mark.slow
def test_another_division_gives_the_same_bytes_and_reruns_nothing(project):
    run(project)
    whole = token_files(project)
    table = pd.read_csv(project.folder / ACCOUNTING)
    assert table["num_documents_read"].sum() == 480
    sizes = {"part_bytes": 1, "shard_bytes": 6_000}
    make_config(project.folder, tokenization=sizes)
    assert "Nothing to be done" in run(project, "--dry-run")
    shutil.rmtree(project.folder / "results")
    output = run(project)
    assert output.count("rule read_part:") == 2 * NUM_FILES
    assert output.count("rule tokenize_shard:") > 2 * NUM_FILES
    assert token_files(project) == whole
    assert not list((project.folder / "results/text/shards").rglob("*.*"))


@pytest.mark.slow
def test_a_killed_shard_redoes_only_itself(project):
    size = max(path.stat().st_size for path in project.folder.glob("text/*/*"))
    make_config(project.folder, tokenization={"part_bytes": 1, "shard_bytes": size})
    script = project.folder / "workflow/scripts/tokenize_shard.py"
    text = script.read_text()
    killed = 'import os, signal\nif "/web/00002" in snakemake.output[0]:\n'
    times = script.stat()
    script.write_text(text + killed + "    os.kill(os.getpid(), signal.SIGKILL)\n")
    os.utime(script, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert "Error in rule tokenize_shard" in run(project, "--keep-going", check=False)
    kept = set((project.folder / "results/text/shards/web").iterdir())
    assert len(kept) >= NUM_FILES - 1
    script.write_text(text)
    os.utime(script, ns=(times.st_atime_ns, times.st_mtime_ns))
    output = run(project, "--rerun-triggers", "mtime", "params", "input")
    assert output.count("rule read_part:") == 0
    assert output.count("rule tokenize_shard:") == 1


@pytest.mark.slow
def test_an_added_file_is_noticed(project):
    run(project)
    before = token_files(project)
    shutil.copy(project.folder / "text/web/0.jsonl.gz", project.folder / "text/web/9.jsonl.gz")
    output = run(project)
    assert output.count("rule read_part:") == 1
    after = token_files(project)
    assert after[Path("docs/train.bin")] == before[Path("docs/train.bin")]
    manifests = [json.loads(files[Path("web/train.json")]) for files in (before, after)]
    assert manifests[0]["source_digest"] != manifests[1]["source_digest"]
    assert manifests[0]["num_documents"] == manifests[1]["num_documents"]


@pytest.mark.slow
def test_the_cache_between_workflows_serves_equal_text(project, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(cache))
    run(project, "--cache")
    first = token_files(project)
    assert first[Path("web/train.bin")] != first[Path("web/validation.bin")]
    cached = sorted(path.name for path in cache.iterdir())
    # Two parts, duplicates, tokenizer, two shards.
    assert len(cached) == 6
    shutil.rmtree(project.folder / "results")
    shutil.rmtree(project.folder / ".snakemake")
    output = run(project, "--cache")
    assert token_files(project) == first
    assert output.count("from cache") == 6
    assert sorted(path.name for path in cache.iterdir()) == cached
    # Text of the same size and other contents is no hit.
    path = project.folder / "text/web/0.jsonl.gz"
    lines = gzip.decompress(path.read_bytes()).replace(b"web", b"wob")
    path.write_bytes(gzip.compress(lines, mtime=0))
    shutil.rmtree(project.folder / "results")
    run(project, "--cache")
    assert token_files(project)[Path("web/train.bin")] != first[Path("web/train.bin")]


@pytest.mark.slow
def test_names_that_snakemake_reads_as_variables(project):
    """Such files are read; that one has changed is noticed, although it is no input."""
    folder = project.folder / "text/web"
    names = ["{domain}.jsonl.gz", "a<x>.jsonl.gz", "b{y}.jsonl.gz"]
    for number, name in enumerate(names):
        (folder / f"{number}.jsonl.gz").rename(folder / name)
    run(project)
    table = pd.read_csv(project.folder / ACCOUNTING)
    assert table[table.domain == "web"].num_documents_read.sum() == 240
    assert "Nothing to be done" in run(project, "--dry-run")
    os.utime(folder / names[0])
    output = run(project, "--dry-run")
    assert "rule read_part:" in output
    assert "Params have changed since last execution" in output


class TestFaults:
    """Each fault gives one message with domain, file and remedy, and leaves no partial files."""

    def fail(self, project, *parts, **options):
        output = run(project, check=False, **options)
        for part in parts:
            assert part in output, output[-4000:]
        assert left_behind(project) == []
        assert not list(project.folder.glob("results/text/runs/**/*"))

    def test_truncated_gzip(self, project):
        path = project.folder / "text/web/3.jsonl.gz"
        path.write_bytes(path.read_bytes()[:-300])
        self.fail(
            project,
            "domain 'web': text/web/3.jsonl.gz is not a complete gzip file",
            "Copy it again",
        )
        assert not list(project.folder.glob("results/text/text/web/*.parquet"))

    def test_text_in_another_encoding(self, project):
        path = project.folder / "text/web/3.jsonl.gz"
        path.write_bytes(gzip.compress(b'{"text": "caf\xe9"}\n'))
        self.fail(project, "domain 'web': text/web/3.jsonl.gz, line 1 is not UTF-8", "iconv")

    def test_unreadable_file(self, project):
        path = project.folder / "text/web/3.jsonl.gz"
        path.chmod(0)
        # root reads everything, unless that power is taken from it.
        command = project.command("--", ACCOUNTING, config="text.yaml")
        if os.geteuid() == 0:
            powers = "-dac_override,-dac_read_search"
            command = ["setpriv", f"--bounding-set={powers}", f"--inh-caps={powers}", *command]
        subprocess.run(
            command, cwd=project.folder, env=project.environment(), capture_output=True, check=False
        )
        log = (project.folder / "results/text/logs/read_part/web/00000.log").read_text()
        assert "domain 'web': text/web/3.jsonl.gz cannot be read: " in log
        assert "Permission denied" in log
        assert "Check the file and its permissions" in log
        assert left_behind(project) == []

    def test_a_file_that_changes_between_plan_and_run(self, project):
        """The first domain's job appends to the other's file, as an unfinished copy would."""
        script = project.folder / "workflow/scripts/read_part.py"
        head = "with open('text/docs/3.jsonl.gz', 'ab') as file:\n    file.write(b'more')\n"
        script.write_text(script.read_text().replace("\nread_part(", f"\n{head}read_part("))
        self.fail(
            project,
            "domain 'docs': text/docs/3.jsonl.gz has changed: it had ",
            "Wait until nothing writes to it, and run again",
        )

    def test_a_full_disk(self, project):
        """A file system of 300 kB, where the text's documents do not fit."""
        place = project.folder / "results"
        place.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)],
            capture_output=True,
            text=True,
        )
        if mounted.returncode:
            pytest.skip(f"mounting a small disk needs root: {mounted.stderr.strip()}")
        try:
            for name in ("web", "docs"):
                shutil.rmtree(project.folder / "text" / name)
                write_text(project.folder, name, num_documents=3000)
            self.fail(
                project,
                "domain 'web': The disk of results/text/text/web/00000.parquet is full",
                "Free some space, or move the results to a larger disk",
            )
            assert not list(place.rglob("*.parquet"))
        finally:
            subprocess.run(["umount", str(place)], check=True)

    def test_a_repeated_domain(self, project):
        path = project.folder / "text.yaml"
        text = path.read_text()
        again = "domains:\n  docs:\n    source: files\n    paths: [x.txt]\n"
        path.write_text(text.replace("domains:\n", again, 1))
        self.fail(project, "duplicate keys in the config.", "text.yaml: domains.docs on lines")

    def test_a_domain_below_one_window(self, project):
        shutil.rmtree(project.folder / "text/web")
        write_text(project.folder, "web", num_documents=12)
        config = make_config(project.folder)
        config["training"]["sequence_length"] = 4096
        target = config["target"] | {"tokens": 60 * 8 * 4096}
        make_config(project.folder, training=config["training"], target=target)
        self.fail(
            project,
            "the tokens of the experiment have 6 problems:",
            "  - validation domain web: its ",
            " tokens hold 0 of the 16 windows of 4,096 tokens. Give it more text, raise "
            "validation.share, or lower training.sequence_length",
            "  - a proxy of 1,966,080 tokens would repeat text more than training.max_epochs (4) "
            "times: web has ",
            target=CHECKED,
        )

    def test_an_empty_validation_split(self, project):
        config = make_config(project.folder)
        make_config(project.folder, validation=config["validation"] | {"share": 0.0001})
        self.fail(
            project,
            "the validation split is empty: 240 documents (",
            ".jsonl.gz and 1 more) at validation.share 0.0001. Give the domain more documents, or",
        )

    def test_a_pattern_that_matches_nothing(self, project):
        shutil.rmtree(project.folder / "text/web")
        self.fail(
            project,
            "domain 'web': no file matches 'text/web/*.jsonl.gz' in paths. Check the spelling",
        )
        assert not (project.folder / "results").exists()

    def test_a_filter_that_is_no_expression(self, project):
        config = make_config(project.folder)
        config["domains"]["web"]["filter"] = "lang = 'en'"
        make_config(project.folder, domains=config["domains"])
        self.fail(project, "domains.web.filter: must be a Python expression, found \"lang = 'en'\"")


@pytest.mark.slow
def test_ten_thousand_shards_are_planned_within_a_minute(fresh):
    """2,500 parts of four shards, as the default sizes make of 2.5 TB of files.

    CPU seconds, of which planning is made: other work on the machine must not decide. Nor must a
    slow machine: 33 s where docs/benchmarks.md was measured.
    """
    for name in ("web", "docs"):
        (fresh.folder / "text" / name).mkdir(parents=True)
        for number in range(1250):
            (fresh.folder / "text" / name / f"{number}.jsonl.gz").write_bytes(b"x" * 80)
    make_config(fresh.folder, tokenization={"part_bytes": 80, "shard_bytes": 20})
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = run(fresh, "--dry-run", "--quiet", "host", "reason", "rules")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    counts = dict(line.split() for line in output.splitlines() if len(line.split()) == 2)
    assert counts["read_part"] == "2500"
    assert counts["tokenize_shard"] == "10000"
    print(f"planned in {seconds:.1f} CPU s")
    assert seconds < 150


@pytest.mark.slow
def test_token_files_of_an_earlier_experiment(project):
    """One domain, and then both, can be given as token files; the bytes are the same."""
    run(project)
    before = token_files(project)
    earlier = project.folder / "earlier"
    shutil.copytree(project.folder / "results/text/tokens", earlier)
    tokenizer = {"file": "earlier/tokenizer.json"}
    web = {"source": "tokens", "folder": "earlier/web"}
    docs = {"source": "tokens", "folder": "earlier/docs"}
    text = {"source": "files", "paths": ["text/docs/*.jsonl.gz"]}
    for domains, num_read in (({"web": web, "docs": text}, 1), ({"web": web, "docs": docs}, 0)):
        shutil.rmtree(project.folder / "results")
        make_config(project.folder, domains=domains, tokenizer=tokenizer)
        output = run(project)
        assert output.count("rule read_part:") == num_read
        assert output.count("rule adopt_tokens:") == 2 * (2 - num_read)
        found = token_files(project)
        assert {name for name in before if found[name] != before[name]} == set()
    assert "rule adopt_tokens:" not in run(project, "--dry-run", target=None)
    plan = [sys.executable, "-m", "mixlaws", "plan", "--configfile", "text.yaml"]
    found = subprocess.run(plan, cwd=project.folder, capture_output=True, text=True, check=True)
    assert "its token files" in found.stdout
