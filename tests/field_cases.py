"""Cases from the field: a folder of small inputs made after public reports, run without Snakemake.

    MIXLAWS_FIELD=FOLDER python tests/field_cases.py [CASE...]   run; rewrite outcomes and table

`prepare` copies a case and makes the inputs that no repository should hold; `run` takes its text to
token files and returns the accounting, as the workflow does job by job.
"""

import json
import os
import random
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import yaml
from snakemake.utils import update_config

from mixlaws.config.complete import read_sections
from mixlaws.config.counted import check_tokens
from mixlaws.config.given import check_given_files
from mixlaws.config.merged import with_origins
from mixlaws.config.repeated_keys import check_repeated_keys
from mixlaws.errors import UserError
from mixlaws.runs.sweep import list_runs, plan_of_tokens
from mixlaws.text.accounting import Roles, account_tokens
from mixlaws.text.division import plan_parts, plan_shards
from mixlaws.text.duplicates import find_duplicates
from mixlaws.text.joining import join_shards, publish_tokens
from mixlaws.text.reading import read_part
from mixlaws.text.tokenization import tokenize_shard
from mixlaws.text.tokenizer import make_tokenizer
from mixlaws.text.tokens import Allowed

OUTCOMES = Path(__file__).with_name("field_outcomes.json")
PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
START = "<!-- field table: written by tests/field_cases.py -->"
END = "<!-- end of field table -->"
KINDS = {
    **dict.fromkeys(("20", "33", "61"), "passed over in silence"),
    "10": "a tokenizer loses text",
    "08": "the end of a document",
    **dict.fromkeys(("02", "03", "28", "30"), "bytes are not yet text"),
    **dict.fromkeys(("04", "05", "07", "19", "22", "23"), "cause and remedy"),
    **dict.fromkeys(("12", "14", "16", "17", "18"), "what people type is data"),
    "24": "one document stalls everything",
    **dict.fromkeys(("55", "56", "60"), "known before any work"),
}
# Cases of a second config file on top of a first, and configs that are planned and not read.
MERGED = {"14-config-merges": "base.yaml"}
PLANNED = ("config_100.yaml", "config_300.yaml")
# It needs a tokenizer of another case, which is kept apart.
_UNFIT = ("18-tildeconfig_folder.yaml",)
ODD_NAMES = {
    **{"backslash": "back\\slash.jsonl", "brace": "brace{x}.jsonl", "bracket": "bracket[1].jsonl"},
    **{"bracedomain": "{domain}.jsonl", "colon": "http:x.jsonl", "comma": "comma,x.jsonl"},
    **{"dash": "-dash.jsonl", "dollar": "dollar$HOME.jsonl", "dq": 'dq"1.jsonl'},
    **{"hash": "hash#1.jsonl", "hidden": ".hidden.jsonl", "newline": "new\nline.jsonl"},
    **{"nfd": "uni-e\u0301.jsonl", "percent": "per%cent.jsonl", "q": "q?.jsonl"},
    **{"quote": "quote'1.jsonl", "semicolon": "semi;colon.jsonl", "space": "with space.jsonl"},
    **{"star": "star*.jsonl", "tilde": "~.jsonl", "upper": "X.JSONL"},
}


def prepare(field, case, folder):
    """Copy a case into a folder, complete; return the copy."""
    copy = Path(shutil.copytree(Path(field) / case, Path(folder) / case))
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    for config in copy.glob("*.yaml"):
        config.write_bytes(config.read_bytes().replace(b"@FIELD@", str(folder).encode()))
    number, text = case[:2], copy / "input"
    if number == "17":
        _odd_names(text)
    if number == "20":
        (text / "a").mkdir(exist_ok=True)
        for part in range(4):  # blobs 2 and 3 were never fetched
            (text / f"a/part-{part}.jsonl").symlink_to(f"../blobs/{part}")
    if number == "24":
        _long_words(text / "a")
    if number == "61":
        for extra in range(100, 300):
            (text / f"d{extra:03d}").symlink_to(f"d{extra % 100:03d}")
    return copy


def _odd_names(text):
    for folder, name in ODD_NAMES.items():
        half = (text / folder / "good.jsonl").read_text().replace("a", "o")
        (text / folder / name).write_text(half)
    bad = text / "badutf8"
    bad.mkdir(exist_ok=True)
    for name in (b"good.jsonl", b"bad\xe9.jsonl"):
        with open(os.fsencode(bad) + b"/" + name, "wb") as file:
            file.write((text / "q/good.jsonl").read_bytes())


def _long_words(folder):
    words = random.Random(0)
    gene = "".join(words.choice("acgt") for _ in range(1_000_000))
    rows = [f'{{"text": "start {" " * 3_000_000} end"}}', f'{{"text": "{gene}"}}']
    rows += [
        f'{{"text": "{" ".join(str(words.random()) for _ in range(60))}"}}' for _ in range(200)
    ]
    folder.mkdir(exist_ok=True)
    (folder / "x.jsonl").write_text("\n".join(rows) + "\n")


def read_case(path):
    """Return the sections of a case's config, as Snakemake starts with it.

    The cases' target, a little beyond the runs, is set to the runs themselves: the gate refuses it
    since, and these cases are about text. Cases that fail for another key keep theirs.
    """
    check_repeated_keys([path])
    config = yaml.safe_load(path.read_text())
    training = config.get("training", {})
    if path.parent.name[:2] not in ("14", "55") and "sizes" in training:
        steps = training["num_steps"] * training["batch_size"] * training["sequence_length"]
        config["target"] = {"size": training["sizes"][0], "tokens": steps}
    sections = read_sections(config)
    check_given_files(sections)
    return sections


def run(path, folder):
    """Take the text of a config to token files in a folder; return the two tables about it."""
    sections = read_case(path)
    config = sections.model_dump()
    sources = config["domains"] | config["validation"]["domains"]
    plan_of_tokens(sections, list_runs(sections))
    parts = {
        name: plan_parts(name, source, part_bytes=config["tokenization"]["part_bytes"])
        for name, source in sources.items()
    }
    tokenizer = folder / "tokenizer.json"
    if "train" not in config["tokenizer"]:
        make_tokenizer(config["tokenizer"], documents={}, duplicates="", output=tokenizer)
    documents = _read(config, sources, parts, folder)
    duplicates = folder / "duplicates.parquet"
    find_duplicates(documents, near=config["duplicates"]["near"], output=duplicates)
    if "train" in config["tokenizer"]:
        trained = {name: documents[name] for name in config["domains"]}
        make_tokenizer(
            config["tokenizer"], documents=trained, duplicates=duplicates, output=tokenizer
        )
    files = []
    for name, source in sources.items():
        shards = _tokenize(name, source, (config, parts[name], documents[name]), folder)
        splits = ["train", "validation"] if name in config["domains"] else ["validation"]
        files += [_publish(name, split, shards, (config, folder)) for split in splits]
    files.sort(key=lambda pair: pair[0].name == "validation.bin")
    output = {"accounting": folder / "accounting.csv", "contamination": folder / "overlap.csv"}
    account_tokens(files, duplicates, Roles(list(config["domains"])), **output)
    manifests = [manifest for _, manifest in files]
    plan = plan_of_tokens(sections, list_runs(sections))
    check_tokens(manifests, plan, folder / "counts.json")
    return tuple(pd.read_csv(each) for each in output.values())


def _read(config, sources, parts, folder):
    documents = {}
    for name, source in sources.items():
        share = config["validation"]["share"] if name in config["domains"] else 1.0
        documents[name] = [folder / f"text/{name}/{part.index:05d}.parquet" for part in parts[name]]
        for part, path in zip(parts[name], documents[name], strict=True):
            options = {key: value for key, value in source.items() if key != "available_tokens"}
            read_part(name, options, part, validation_share=share, output=path)
    return documents


def _tokenize(name, source, planned, folder):
    config, parts, documents = planned
    sizes = config["tokenization"]
    shards = []
    for shard in plan_shards(name, source, parts, shard_bytes=sizes["shard_bytes"]):
        shards.append(folder / f"shards/{name}/{len(shards)}.parquet")
        given = [documents[part] for part in shard.parts]
        tokenize_shard(
            given,
            shard,
            folder / "duplicates.parquet",
            folder / "tokenizer.json",
            output=shards[-1],
        )
    return shards


def _publish(name, split, shards, place):
    config, folder = place
    limits = {key: config["tokenizer"][key] for key in ("max_unknown_share", "max_altered_share")}
    joined = folder / f"shards/{name}/{split}.bin"
    described = joined.with_suffix(".json")
    join_shards(shards, split=split, tokens=joined, manifest=described, allowed=Allowed(**limits))
    tokens = folder / f"tokens/{name}/{split}.bin"
    publish_tokens(
        (joined, described),
        tokens=tokens,
        manifest=tokens.with_suffix(".json"),
        sizes={"part_bytes": 1, "shard_bytes": 1},
        division=folder / f"tokens/{name}/division.json",
    )
    return tokens, tokens.with_suffix(".json")


def _sections_of_merged(files):
    """Return the sections of several config files, as Snakemake merges them."""
    config = {}
    for path in files:
        update_config(config, yaml.safe_load(path.read_text()))
    with with_origins(files, {}, is_told=False):
        return read_sections(config)


def outcome(field, case, config, folder):
    """Return what comes of a config: its message, or the documents kept per domain."""
    copy = prepare(field, case, folder)
    try:
        if case in MERGED:
            _sections_of_merged([copy / MERGED[case], copy / config])
            return "read"
        if config in PLANNED:
            shares = list_runs(read_case(copy / config)).proportions["uniform"].values()
            return f"read: uniform gives every domain {set(shares)}"
        accounting, _ = run(copy / config, Path(folder) / "results")
    except UserError as error:
        words = f"{type(error).__name__}: {error}".replace(f"{folder}/{case}/input", "FOLDER")
        return words.replace(f"{folder}/{case}", "CASE").replace(str(Path.cwd()), "HERE")
    kept = accounting.groupby("domain", sort=False).num_documents_kept.sum()
    return "read: " + ", ".join(f"{domain} {count}" for domain, count in kept.items())


def configs_of(field, case):
    """Return the configs of a case that are run."""
    names = sorted(path.name for path in (Path(field) / case).glob("*.yaml"))
    return [name for name in names if name != MERGED.get(case) and case + name not in _UNFIT]


def table(outcomes):
    """Return the lines of the table in docs/reliability.md: configs of one outcome in one row."""
    lines = ["| case | kind | configs | outcome |", "|---|---|---|---|"]
    for case, found in outcomes.items():
        rows = {}
        for config, words in found.items():
            rows.setdefault(words, []).append(config.removesuffix(".yaml"))
        for words, configs in rows.items():
            shown = " ".join(words.split()).replace("|", "\\|")
            lines.append(f"| {case} | {KINDS[case[:2]]} | {', '.join(configs)} | {shown} |")
    return lines


def with_table(page, outcomes):
    """Return the page with the table replaced."""
    before, after = page.split(START)[0], page.split(END)[1]
    return "\n".join([before + START, *table(outcomes), END + after])


def main():
    """Run all cases, or those named; write the outcomes and the table of all."""
    root, chosen = Path(os.environ["MIXLAWS_FIELD"]), sys.argv[1:]
    outcomes = json.loads(OUTCOMES.read_text()) if OUTCOMES.exists() else {}
    for folder in sorted(root.glob("*/")):
        case = folder.name
        if chosen and not any(each in case for each in chosen):
            continue
        outcomes[case] = {}
        for config in configs_of(root, case):
            with tempfile.TemporaryDirectory() as scratch, environment(root, scratch):
                outcomes[case][config] = outcome(root, case, config, scratch)
    OUTCOMES.write_text(json.dumps(dict(sorted(outcomes.items())), indent=1) + "\n")
    PAGE.write_text(with_table(PAGE.read_text(), outcomes))


@contextmanager
def environment(field, folder):
    """Set the variables and the home folder that some configs name."""
    home = Path(folder) / "home"
    (home / "field_tilde").mkdir(parents=True)
    other = (Path(field) / "18-tilde/input/b/b.jsonl").read_text().replace("a", "o")
    (home / "field_tilde/x.jsonl").write_text(other)
    shutil.copy(Path(field) / "08-unigram-eos-in-text/input/tokenizer.json", home)
    before = dict(os.environ)
    os.environ |= {"HOME": str(home), "FIELD_TOK": str(home), "HF_HUB_OFFLINE": "1"}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


if __name__ == "__main__":
    main()
