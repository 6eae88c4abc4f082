"""The cases of the hostile table, and the reasons for cells without one."""

import copy
import functools
import gzip
import json
import random
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from fixture_counts import plant_manifests
from own_tables import grid_mixtures, grid_table, long_table, mixture_table, write
from text_workplace import Workplace, sentence, write_lines

from mixlaws.config.complete import complete_config, read_config, read_sections
from mixlaws.config.counted import check_tokens
from mixlaws.config.losses import stage_settings
from mixlaws.config.template import write_config
from mixlaws.decision.outcome import find_optimum
from mixlaws.files import write_json
from mixlaws.losses.run_files import find_runs
from mixlaws.losses.stage import import_losses
from mixlaws.own_losses import DECIDING, SWARM, fit_losses
from mixlaws.report.page import write_report
from mixlaws.runs.sweep import list_runs, plan_of_tokens
from mixlaws.scoring.record import score_laws
from mixlaws.text.duplicates import find_duplicates
from mixlaws.text.joining import join_shards
from mixlaws.text.parts import Part, Shard
from mixlaws.text.reading import read_part
from mixlaws.text.tokenization import tokenize_shard
from mixlaws.training.batches import BatchPlan
from mixlaws.training.corpus import read_corpus

STAGES = ("config", "read", "tokenize", "train", "import", "fit", "page")
KINDS = {
    "limits": "limits that conflict",
    "tags": "code in data",
    "paths": "names with `..`",
    "markup": "HTML in names",
    "many": "60 domains",
    "one": "one domain",
    "rows": "5 million rows",
    "empty": "nothing in it",
    "damaged": "damaged files",
    "numbers": "numbers that are none",
}
CASES = {}
_PLACES = {"mixtures": "mixtures.csv", "runs": "runs.csv", "losses": "losses.parquet"}
_IMPORTED = SWARM | {"dropped": "dropped.csv"}
_WHOLE = yaml.safe_load((Path(__file__).parents[1] / "config/whole.yaml").read_text())


def case(kind, stage):
    def keep(prepare):
        CASES[kind, stage] = prepare
        return prepare

    return keep


def whole(**changes):
    """Return the sections of a whole config with other values of dotted keys (__ for the dot)."""
    config = copy.deepcopy(_WHOLE)
    for name, value in changes.items():
        *path, last = name.split("__")
        section = functools.reduce(lambda found, part: found[part], path, config)
        section[last] = value
    return config


# Config


@case("limits", "config")
def _(_place):
    limits = {name: [0.5, 0.75] for name in ("python", "docs", "cpp")}
    return lambda: list_runs(read_sections(whole(mixtures__limits=limits)))


@case("tags", "config")
def _(place):
    harm = place.folder / "harm"
    text = f"experiment: !!python/object/apply:pathlib.Path.touch ['{harm}']\n"
    path = place.write("config.yaml", text)
    return lambda: read_config(path)


@case("paths", "config")
def _(place):
    (place.folder / "experiments").mkdir()
    return lambda: write_config("../up", place.folder / "experiments")


@case("markup", "config")
def _(_place):
    domains = _WHOLE["domains"] | {"<b>maths</b>": _WHOLE["domains"]["docs"]}
    return lambda: read_sections(whole(domains=domains))


@case("many", "config")
def _(_place):
    names = [f"d{number:02d}" for number in range(60)]
    domains = dict.fromkeys(names, _WHOLE["domains"]["docs"])
    config = whole(domains=domains, mixtures={}, validation__weights={names[0]: 1})

    def act():
        mixtures = list_runs(read_sections(config)).mixtures
        sums = {round(sum(mixture.proportions.values()), 12) for mixture in mixtures}
        return f"{len(mixtures)} mixtures of {len(names)} domains, whose shares sum to {sums}"

    return act


@case("one", "config")
def _(_place):
    domains = {"docs": _WHOLE["domains"]["docs"]}
    return lambda: read_sections(whole(domains=domains, validation__weights={"docs": 1}))


@case("empty", "config")
def _(place):
    path = place.write("config.yaml", "# nothing but a comment\n")
    return lambda: read_config(path)


@case("damaged", "config")
def _(place):
    path = place.write("config.yaml", gzip.compress(b"experiment: a\n", mtime=0))
    return lambda: read_config(path)


@case("numbers", "config")
def _(_place):
    nan = float("nan")
    config = whole(seed=float("inf"), uncertainty__level=nan, target__tokens=10**40)
    return lambda: read_sections(config)


# Reading


def _read(place, path, **changes):
    choice = {"source": "files", "paths": [str(path)]} | changes
    output = place.output("00000.parquet")
    return lambda: read_part("web", choice, Part(), validation_share=0.5, output=output)


@case("limits", "read")
def _(place):
    path = write_lines(place.folder / "a.jsonl", map(sentence, range(9)))
    return _read(place, path, min_characters=100, max_characters=10)


@case("rows", "read")
def _(place):
    path = place.folder / "a.parquet"
    pq.write_table(pa.table({"text": pa.nulls(5_000_000, pa.string())}), path)
    return _read(place, path, on_bad_lines=5)


@case("empty", "read")
def _(place):
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), place.folder / "a.parquet")
    return _read(place, place.folder / "a.parquet")


@case("damaged", "read")
def _(place):
    path = place.folder / "a.parquet"
    pq.write_table(pa.table({"text": [sentence(number) for number in range(9)]}), path)
    path.write_bytes(path.read_bytes()[:-1])
    return _read(place, path)


@case("numbers", "read")
def _(place):
    return _read(place, place.write("a.jsonl", '{"text": "a"}\n{"text": NaN}\n'))


# Tokenizing


def _shard(workplace, domain, output):
    documents = workplace.documents[domain]
    return lambda: tokenize_shard(
        documents, Shard((0,)), workplace.duplicates, workplace.tokenizer, output=output
    )


@case("limits", "tokenize")
def _(place):
    """No document fits into max_tokens."""
    workplace = Workplace(place.folder / "work")
    path = write_lines(place.folder / "long.jsonl", [sentence(number) * 9 for number in range(9)])
    choice = {"source": "files", "paths": [str(path)], "max_tokens": 99}
    documents, shard = place.folder / "long.parquet", place.folder / "0.parquet"
    read_part("long", choice, Part(), validation_share=1.0, output=documents)
    workplace.documents["long"] = [documents]
    _shard(workplace, "long", shard)()
    tokens, manifest = place.output("validation.bin"), place.output("validation.json")
    return lambda: join_shards([shard], split="validation", tokens=tokens, manifest=manifest)


@case("empty", "tokenize")
def _(place):
    """A domain whose documents another domain has too."""
    documents = {}
    for name, count in (("web", 30), ("copy", 20)):
        path = write_lines(place.folder / f"{name}.jsonl", map(sentence, range(count)))
        documents[name] = [place.folder / f"{name}.parquet"]
        choice = {"source": "files", "paths": [str(path)]}
        read_part(name, choice, Part(), validation_share=0.5, output=documents[name][0])
    duplicates = place.folder / "duplicates.parquet"
    find_duplicates(documents, near="none", output=duplicates)
    workplace = Workplace(place.folder / "work")
    shard = place.folder / "0.parquet"
    tokenize_shard(documents["copy"], Shard((0,)), duplicates, workplace.tokenizer, output=shard)
    tokens, manifest = place.output("train.bin"), place.output("train.json")
    return lambda: join_shards([shard], split="train", tokens=tokens, manifest=manifest)


@case("damaged", "tokenize")
def _(place):
    workplace = Workplace(place.folder / "work")
    (path,) = workplace.documents["web"]
    path.write_bytes(path.read_bytes().replace(b'"domain": "web"', b'"domain": "wen"'))
    return _shard(workplace, "web", place.output("0.parquet"))


# Training


@case("limits", "train")
def _(place):
    """The gate before training: more epochs than training.max_epochs."""
    found = plant_manifests(complete_config(whole()), random.Random(0))
    sections = read_sections(whole(training__num_steps=10**7, target__tokens=10**11))
    plan = plan_of_tokens(sections, list_runs(sections))
    paths = []
    for manifest in found:
        name = f"{manifest.domain}/{manifest.split}.json"
        paths.append(place.folder / name)
        write_json(manifest.__dict__, paths[-1])
    output = place.output("counts.json")
    return lambda: check_tokens(paths, plan, output)


@case("empty", "train")
def _(_place):
    shares, windows = {"web": 0.5, "code": 0.5}, {"web": 9, "code": 0}
    return lambda: BatchPlan(shares, windows, batch_size=2, num_steps=5, seed=0)


@case("damaged", "train")
def _(place):
    tokens, manifest = Workplace(place.folder / "work").write("web", "train")
    data = bytearray(tokens.read_bytes())
    data[100] ^= 1
    tokens.unlink()  # another name of the file is a hard link
    tokens.write_bytes(data)
    return lambda: read_corpus([manifest], [])


# Import


def _settings(files, **changes):
    config = {"experiment": "own", "losses": {"files": files}, "uncertainty": {"replicates": 10}}
    config["laws"] = {"pipeline": "nested", "mixing": "additive"}
    return stage_settings(complete_config(config | changes))


def _import(place, losses=None, mixtures=None, **changes):
    settings = _settings(write(place.folder, losses, mixtures), **changes)
    outputs = place.outputs(**_IMPORTED)
    return lambda: import_losses(outputs, settings["import"])


@case("limits", "import")
def _(place):
    """Limits on a domain that the tables do not have."""
    groups = {"text": {"domains": ["web", "books"], "limits": [0.2, 0.4]}}
    return _import(place, optimum={"groups": groups, "limits": {"wiki": [0.1, 0.2]}})


@case("tags", "import")
def _(place):
    """What a spreadsheet would run is a name."""
    formula = {"a": '=HYPERLINK("http://localhost/"&A1)', "b": "@SUM(1+1)"}
    losses, mixtures = long_table(), mixture_table()
    losses["mixture"] = losses["mixture"].replace(formula)
    mixtures["id"] = mixtures["id"].replace(formula)
    act = _import(place, losses, mixtures)

    def names():
        act()
        kept = pd.read_csv(place.folder / "results/mixtures.csv")["id"]
        return f"mixtures named {', '.join(kept[:2])}"

    return names


@case("paths", "import")
def _(place):
    place.write("logs/a/metrics.csv", "step,val/web\n1,3.0\n")
    return lambda: find_runs(f"{place.folder}/logs/{{mixture}}/../{{secret}}/metrics.csv")


@case("many", "import")
def _(place):
    names = [f"d{number:02d}" for number in range(60)]
    shares = np.random.default_rng(0).dirichlet(np.ones(60), 4)
    mixtures = pd.DataFrame(shares, columns=names).assign(id=list("abcd"))
    act = _import(place, mixtures=mixtures)

    def counted():
        act()
        record = json.loads((place.folder / "results/import.json").read_text())
        return f"{len(record['domains'])} domains, {record['num_mixtures']} mixtures"

    return counted


@case("one", "import")
def _(place):
    return _import(place, mixtures=pd.DataFrame({"id": list("abcd"), "web": 1.0}))


@case("rows", "import")
def _(place):
    """The same losses again and again, each time a little different."""
    losses = pd.concat([long_table()] * (5_000_000 // len(long_table())), ignore_index=True)
    losses["loss"] += np.arange(len(losses)) * 1e-9
    return _import(place, losses)


@case("empty", "import")
def _(place):
    return _import(place, long_table()[:0])


@case("damaged", "import")
def _(place):
    act = _import(place)
    path = place.folder / "losses.csv"
    path.write_text(path.read_text().rstrip("\n").rpartition(",")[0].rpartition(",")[0])
    return act


@case("numbers", "import")
def _(place):
    losses, mixtures = long_table().astype({"loss": object}), mixture_table().astype(object)
    losses.loc[3, "loss"], losses.loc[5, "loss"] = "1e999", "three"
    mixtures.loc[1, "web"] = "inf"
    return _import(place, losses, mixtures)


# Fitting


def _score(place, losses, mixtures=None):
    """Import tables, and return the call that scores the laws on them."""
    settings = _settings(write(place.folder, losses, mixtures))
    swarm = {name: str(place.folder / path) for name, path in _IMPORTED.items()}
    import_losses(swarm, settings["import"])
    outputs = place.outputs(scores="s.csv", predictions="p.csv", choice="c.json")
    return lambda: score_laws(swarm, outputs, settings["score"])


@functools.cache
def analysed():
    """Return the results of losses whose domains have hostile names, from tables to page."""
    folder = Path(tempfile.mkdtemp())
    names = {"web": "<script>alert(1)</script>", "code": "../../code"}
    mixtures = grid_mixtures().rename(columns=names)
    files = write(folder, grid_table().replace({"validation_domain": names}), mixtures)
    config = {"experiment": "own", "losses": {"files": files}, "uncertainty": {"replicates": 10}}
    config |= {"laws": {"pipeline": "nested", "mixing": "additive"}}
    config = complete_config(config | {"target": {"size": "1B", "tokens": 2_000_000}})
    before = set(folder.parent.iterdir())
    fit_losses(config, folder / "a/b/results", say=lambda _: None)
    outside = {*folder.iterdir(), *(folder / "a").iterdir()} - {
        folder / "a", folder / "a/b", *map(Path, files.values())
    }  # fmt: skip
    return folder / "a/b/results", config, names, [path.name for path in outside], before


@case("limits", "fit")
def _(place):
    done, config, names, *_ = analysed()
    shutil.copytree(done, place.folder / "done")
    limits = {name: [0.6, 1.0] for name in names.values()}
    settings = stage_settings(config)["decide"]
    settings["optimum"] = settings["optimum"] | {"limits": limits}
    inputs = {name: str(place.folder / "done" / path) for name, path in (SWARM | DECIDING).items()}
    outputs = place.outputs(
        optimum="o.json", replicates="r.parquet", surface="s.csv", interaction="i.csv"
    )
    return lambda: find_optimum(inputs, outputs, settings)


@case("many", "fit")
def _(place):
    names = [f"d{number:02d}" for number in range(60)]
    shares = np.random.default_rng(0).dirichlet(np.ones(60), 4)
    return _score(place, None, pd.DataFrame(shares, columns=names).assign(id=list("abcd")))


@case("empty", "fit")
def _(place):
    """One run alone."""
    return _score(place, long_table().query("size == '1M' and mixture == 'a'"))


@case("damaged", "fit")
def _(place):
    act = _score(place, None)
    path = place.folder / "losses.parquet"
    path.write_bytes(path.read_bytes().replace(b"tokens", b"tokemz"))
    return act


# The page


def _page(place, spoil):
    done, config, *_ = analysed()
    shutil.copytree(done, place.folder / "done")
    spoil(place.folder / "done")
    page = place.output("report.html")
    return lambda: write_report(place.folder / "done", config, page)


@case("markup", "page")
def _(_place):
    def act():
        done, _, names, *_ = analysed()
        page = (done / "report.html").read_text()
        shown = re.findall(r"<(?:td|th)[^>]*>(&lt;script&gt;alert[^<]*)<", page)
        assert names["web"] not in page
        return f"{set(shown)} in tables; never as HTML"

    return act


@case("paths", "page")
def _(_place):
    return lambda: f"files outside the results folder: {analysed()[3]}"


@case("empty", "page")
def _(place):
    return _page(place, lambda done: (done / "optimum.json").unlink())


@case("damaged", "page")
def _(place):
    def halve(done):
        path = done / "optimum.json"
        path.write_bytes(path.read_bytes()[:20])

    return _page(place, halve)


REASONS = {}


def _reason(words, **cells):
    REASONS.update(
        {(kind, stage): words for kind, stages in cells.items() for stage in stages.split()}
    )


_reason("the page shows limits that find_optimum has met", limits="page")
_reason(
    "nothing is unpickled or evaluated: tests/test_no_code_from_data.py",
    tags="read tokenize train fit page",
)
_reason("paths to read may lead anywhere that the user may read", paths="read")
_reason("their names come from a config, whose patterns know no `..`", paths="tokenize train")
_reason("names of tables are not parts of paths: see page", paths="fit")
_reason("`<x>` and braces in file names: the field table, case 17", markup="read")
_reason("their names come from a config, whose patterns know no `<`", markup="tokenize train")
_reason("names are not interpreted before the page: see there", markup="import fit")
_reason(
    "each domain has jobs of its own; the field table, case 61, has 300",
    many="read tokenize", one="read tokenize",
)  # fmt: skip
_reason("a run reads one file per domain, however many there are", many="train")
_reason("not tried: laws of 60 domains need 150 runs and many minutes", many="page")
_reason("refused before: see config and import", one="train fit page")
_reason("a config has no rows", rows="config")
_reason("documents are taken in batches; benchmarks/ measures gigabytes", rows="tokenize train")
_reason("losses reach it as arrays, whose import is tested here", rows="fit page")
_reason("ids are written by a tokenizer, never read from text", numbers="tokenize")
_reason("a loss that is not finite ends a run: tests/training/test_train.py", numbers="train")
_reason("losses that are no finite numbers above 0 are refused before: see import", numbers="fit")
_reason("what is drawn was fitted, and fits are finite", numbers="page")
