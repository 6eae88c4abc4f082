"""The jobs that run, and the jobs that rerun after a change."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parents[2]
NUM_MIXTURES = 6  # 3 sampled, 1 held out, uniform, natural


def byte_stable(results):
    """Return the bytes of everything that two undisturbed runs must share."""
    names = ["losses.parquet", "mixtures.csv", "optimum.json", "target_mixture.json"]
    names += ["confirmation.parquet", "confirmation.json", "accounting.csv"]
    paths = [results / name for name in names]
    for pattern in ("runs/**/losses.csv", "runs/**/run.json", "laws/*", "figures/*.svg"):
        found = sorted(results.glob(pattern))
        assert found, f"{results} has no {pattern}: nothing would be compared"
        paths += found
    paths = [path for path in paths if path.name != "cost.svg"]  # seconds
    return {path.relative_to(results).as_posix(): path.read_bytes() for path in paths}


def test_the_smoke_run_ends_in_a_decision(smoke):
    optimum = json.loads((smoke.results / "optimum.json").read_text())
    assert sum(optimum["proportions"].values()) == pytest.approx(1, abs=1e-9)
    for domain, share in optimum["proportions"].items():
        low, high = optimum["intervals"][domain]
        assert 0 <= low <= high <= 1
        assert 0 <= share <= 1
    # Docs weigh 0.7 and little else teaches them.
    assert optimum["proportions"]["docs"] > 0.5
    losses = pd.read_parquet(smoke.results / "losses.parquet")
    assert len(losses) == 2 * NUM_MIXTURES * 6 * 2
    page = (smoke.results / "report.html").read_text()
    assert "<svg" in page
    assert page.count("http-equiv") == page.count("Content-Security-Policy") == 1


def test_the_rounded_optimum_is_what_the_confirmation_trained_on(smoke):
    rounded = json.loads((smoke.results / "target_mixture.json").read_text())["proportions"]
    record = smoke.results / "confirmation" / "optimum" / "seed-0" / "run.json"
    assert json.loads(record.read_text())["proportions"] == rounded
    assert all(share * 64 == round(share * 64) for share in rounded.values())


def test_natural_shares_come_from_the_text_before_any_cap(smoke):
    mixtures = pd.read_csv(smoke.results / "mixtures.csv").set_index("id")
    accounting = pd.read_csv(smoke.results / "accounting.csv")
    train = accounting[accounting["split"] == "train"].set_index("domain")["natural_share"]
    for domain, share in train.items():
        assert abs(mixtures.loc["natural", f"r_{domain}"] - share) <= 1e-12


def test_tokens_of_every_run_are_accounted_for(smoke):
    records = list(smoke.results.glob("runs/**/run.json"))
    assert records
    for path in records:
        record = json.loads(path.read_text())
        assert sum(record["realised_tokens"].values()) == record["tokens"] == 60 * 8 * 32
        for domain, intended in record["intended_tokens"].items():
            share = intended / record["tokens"]
            sd = np.sqrt(480 * share * (1 - share)) * 32
            assert abs(record["realised_tokens"][domain] - intended) <= 4 * sd


def test_a_second_run_does_nothing(smoke):
    assert "Nothing to be done" in smoke.snakemake("--dry-run")


def test_a_larger_count_trains_only_the_new_mixtures(smoke, tmp_path):
    config = (ROOT / "tests/workflow/smoke.yaml").read_text().replace("count: 3", "count: 5")
    larger = tmp_path / "larger.yaml"
    larger.write_text(config)
    planned = smoke.planned("--configfile", str(larger))
    assert planned["train_proxy"] == 2 * 2
    assert not {"read_part", "tokenize_shard", "publish_tokens"} & set(planned)


def test_a_new_size_trains_only_that_size(smoke, tmp_path):
    config = (ROOT / "tests/workflow/smoke.yaml").read_text()
    other = tmp_path / "sizes.yaml"
    other.write_text(config.replace("sizes: [2K, 3K]", "sizes: [2K, 3K, 7K]"))
    assert smoke.planned("--configfile", str(other))["train_proxy"] == NUM_MIXTURES


def test_another_seed_of_the_bootstrap_trains_nothing(smoke, tmp_path):
    config = (
        (ROOT / "tests/workflow/smoke.yaml").read_text().replace("replicates: 20", "replicates: 30")
    )
    other = tmp_path / "replicates.yaml"
    other.write_text(config)
    planned = smoke.planned("--configfile", str(other))
    assert planned["find_optimum"] == 1
    assert "train_proxy" not in planned


def test_an_edit_to_the_laws_refits_and_trains_no_proxy(smoke):
    module = smoke.folder / "mixlaws" / "laws" / "mixing" / "exponential.py"
    text = module.read_text()
    module.write_text(text + "\n# an edit\n")
    try:
        planned = smoke.planned()
    finally:
        module.write_text(text)
    assert planned["fit_laws"] == planned["find_optimum"] == 1
    assert "train_proxy" not in planned


def test_an_edit_that_leaves_the_decision_retrains_no_confirmation(fresh, smoke):
    """The confirmation depends on the rounded optimum's content, not on its time."""
    subprocess.run(["cp", "-a", f"{smoke.folder}/.", str(fresh.folder)], check=True)
    module = fresh.folder / "mixlaws" / "laws" / "mixing" / "exponential.py"
    module.write_text(module.read_text() + "\n# an edit\n")
    output = fresh.snakemake()
    assert "rule fit_laws" in output
    assert "rule train_confirmation" not in output
    assert "rule train_proxy" not in output


def test_the_default_target_is_the_demo(fresh):
    planned = fresh.snakemake("--dry-run", "--quiet", "host", config=None)
    assert "results/demo/report.html" in planned
    jobs = dict(line.split() for line in planned.splitlines() if len(line.split()) == 2)
    assert jobs["train_proxy"] == "36"


def write_text_for(folder, path):
    """Put a file where each pattern of an experiment looks for text or losses."""
    config = yaml.safe_load(path.read_text())
    measured = config.get("validation", {}).get("domains", {})
    for source in (config.get("domains", {}) | measured).values():
        for pattern in source.get("paths", []):
            file = folder / pattern.replace("$MIXLAWS_CORPORA", "corpora").replace("*", "x")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text('{"text": "text"}\n')
    for name in config.get("losses", {}).get("files", {}).values():
        (folder / name).write_text("a table\n")


CONTINUATION = ROOT / "experiments" / "continual.yaml"


@pytest.mark.parametrize(
    "path", sorted({*(ROOT / "experiments").glob("*.yaml")} - {CONTINUATION}), ids=lambda p: p.stem
)
def test_every_shipped_experiment_plans(fresh, path):
    write_text_for(fresh.folder, path)
    planned = fresh.snakemake("--dry-run", "--quiet", "host", config=f"experiments/{path.name}")
    assert f"results/{path.stem}/report.html" in planned


def test_a_continuation_is_planned_once_its_base_is_trained(fresh):
    output = fresh.snakemake(
        "--dry-run", "--quiet", "host", config=f"experiments/{CONTINUATION.name}", check=False
    )
    assert "training.initial: continual_base has kept no weights of uniform at 25K seed 0" in output


@pytest.mark.parametrize(
    ("change", "trained"),
    [
        (("checkpoint_every_seconds: 0", "checkpoint_every_seconds: 30"), {}),
        (("training:\n", "training:\n  devices: 2\n  strategy: ddp\n"), {}),
        (("training:\n", "training:\n  accelerator: cpu\n  keep_weights: true\n"), {}),
        (
            ("training:\n", "training:\n  learning_rate: 0.001\n"),
            {"train_proxy": 2 * NUM_MIXTURES, "train_confirmation": 2},
        ),
    ],
)
def test_how_a_run_is_executed_retrains_nothing(smoke, tmp_path, change, trained):
    config = (ROOT / "tests/workflow/smoke.yaml").read_text()
    assert change[0] in config
    other = tmp_path / "other.yaml"
    other.write_text(config.replace(*change))
    planned = smoke.planned("--configfile", str(other))
    found = {
        rule: planned[rule] for rule in ("train_proxy", "train_confirmation") if rule in planned
    }
    assert found == trained


WALK = """
import json
PLAIN = (str, int, float, bool, type(None), list, dict, tuple)
for rule in workflow.rules:
    for name, value in rule.params._allitems():
        derives = callable(value) and rule._is_deriving_function(value)
        plain = callable(value) or isinstance(value, PLAIN)
        print("PARAM", json.dumps([rule.name, name, derives, plain]))
"""


@pytest.mark.parametrize("config", ["tests/workflow/smoke.yaml", "experiments/paper.yaml"])
def test_only_the_execution_of_a_run_is_left_out_of_the_record(fresh, config):
    """Snakemake records no param of a function of input, output, threads or resources.

    Nor a change of a param that is no plain built-in.
    """
    snakefile = fresh.folder / "Snakefile"
    snakefile.write_text(snakefile.read_text() + WALK)
    printed = fresh.snakemake("--list-rules", config=config)
    params = [json.loads(line) for line in re.findall(r"PARAM (.*)", printed)]
    assert len(params) > 30
    assert all(plain for *_, plain in params), params
    runs = {(rule, "execution") for rule in ("train_proxy", "train_confirmation")}
    left_out = {(rule, name) for rule, name, derives, _ in params if derives}
    others = {("check_tokens", "plan"), ("read_part", "stamps")}
    assert left_out == (runs | others if "smoke" in config else set())


def test_snakemakes_own_report_holds_the_page(smoke):
    smoke.snakemake("--report", "archive.zip")
    with zipfile.ZipFile(smoke.folder / "archive.zip") as archive:
        pages = [name for name in archive.namelist() if name.endswith("report.html")]
        assert any(b"The optimum in numbers" in archive.read(name) for name in pages), pages


def test_parsing_our_files_imports_no_heavy_library(fresh):
    code = (
        "import sys, runpy; sys.argv = ['snakemake', '-n', '--quiet', 'all'];\n"
        "try: runpy.run_module('snakemake', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print('LOADED', [m for m in ('torch', 'pandas', 'matplotlib', 'scipy.stats')"
        " if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=fresh.folder, capture_output=True, text=True
    )
    assert "LOADED []" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("count: 3", "count: many"), "mixtures.count"),
        (("docs: 0.7", "docs: 0.9"), "validation.weights: must sum to 1, found 1.2"),
        (
            ("experiment: smoke", "experiment: smoke\nmixtrues: {}"),
            "mixtrues: unknown key. Did you mean mixtures?",
        ),
        (("harvest: docs, max_bytes: 250_000", "harvest: docs, max_bytes: 20_000"), "docs"),
    ],
)
def test_bad_input_stops_before_any_training(fresh, tmp_path, change, message):
    config = (ROOT / "tests/workflow/smoke.yaml").read_text()
    assert change[0] in config
    bad = tmp_path / "bad.yaml"
    bad.write_text(config.replace(*change))
    output = fresh.snakemake(config=str(bad), check=False)
    assert message in output + "".join(p.read_text() for p in fresh.folder.glob("results/**/*.log"))
    assert not list(fresh.folder.glob("results/**/losses.csv"))
