"""Whatever a config or a table holds: it is taken, or refused with an error of the user."""

import time
from pathlib import Path

import pytest
import yaml
from config_draws import draw_config
from config_probes import place, probes
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from own_tables import long_table, mixture_table, wide_table

from mixlaws.config.complete import complete_config, read_sections
from mixlaws.config.experiment import Experiment
from mixlaws.config.losses import LossesExperiment, stage_settings
from mixlaws.config.published import PublishedExperiment
from mixlaws.errors import ConfigError, UserError
from mixlaws.losses.stage import import_losses
from mixlaws.runs.sweep import list_runs, plan_of_tokens

ROOT = Path(__file__).parents[2]
OWN = {
    "experiment": "own",
    "losses": {"files": {"losses": "l.csv", "mixtures": "m.csv"}, "drop": ["spike"]},
    "validation": {"weights": {"web": 0.5, "code": 0.5}},
    "target": {"size": "1B", "tokens": 2_000_000},
    "natural": {"web": 0.75, "code": 0.25},
    "optimum": {"groups": {"all": {"domains": ["web"], "limits": [0.1, 0.9]}}},
}
WHOLE = yaml.safe_load((ROOT / "tests/config/whole.yaml").read_text())
PAPER = yaml.safe_load((ROOT / "experiments/paper.yaml").read_text())
ROOTS = {
    "own": (LossesExperiment, OWN),
    "whole": (Experiment, WHOLE),
    "paper": (PublishedExperiment, PAPER),
}
PROBES = {name: list(probes(model.model_json_schema())) for name, (model, _) in ROOTS.items()}
CALM = {
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.generate, Phase.shrink],
}
FEW, SECONDS = 20, 300


def check(config):
    """Take a config as the Snakefile does; return whether it was refused."""
    try:
        sections = read_sections(config)
    except ConfigError:
        return True
    if isinstance(sections, LossesExperiment):
        stage_settings(sections.model_dump())
    elif isinstance(sections, Experiment) and len(sections.domains) < 9:
        plan_of_tokens(sections, list_runs(sections))
    return False


def take(config):
    check(config)


def test_the_probes_reach_every_key():
    for name, (model, _) in ROOTS.items():
        reached = {str(part) for probe in PROBES[name] for part in probe.path}
        schema = model.model_json_schema()
        for section in (schema, *schema["$defs"].values()):
            assert set(section.get("properties", {})) <= reached
        assert len(PROBES[name]) > 200


def test_a_step_beyond_a_limit_is_refused():
    """And nothing but ConfigError is raised, at any limit of any key, or for a wrong kind."""
    for name, (_, config) in ROOTS.items():
        for probe in [each for each in PROBES[name] if each.is_wrong][:: 1 if name == "own" else 5]:
            placed = place(config, probe)
            assert placed is None or check(placed), probe


CONFIGS = st.one_of(
    st.integers(0, 10**6).map(draw_config),
    st.sampled_from([WHOLE, OWN, PAPER]),
)


@st.composite
def hostile_configs(draw):
    """Draw a config that is valid or nearly so, with up to three probes in it."""
    config = draw(CONFIGS)
    name = "paper" if "published" in config else "own" if "losses" in config else "whole"
    for probe in draw(st.lists(st.sampled_from(PROBES[name]), min_size=1, max_size=3)):
        config = place(config, probe) or config
    return config


CELLS = [
    *("", "nan", "inf", "-1", "0", "1e999", "1e-400", "9" * 400, "1,5", "1e9", "70M", "٣"),
    *("a", "..", "web", "uniform", "natural", "True", "=1+1", '"', "'", "\x00", "\ufeff"),
]
READERS = ("auto", "long", "wide", "regmix", "csv_logger", "olmix", "wandb")
TABLES = {
    "long": long_table().to_csv(index=False),
    "wide": wide_table().to_csv(index=False),
    "mixtures": mixture_table().to_csv(index=False),
}


@st.composite
def hostile_tables(draw, text):
    """Draw the bytes of a CSV table with cells, columns or rows changed, or cut off."""
    rows = [line.split(",") for line in text.splitlines()]
    for _ in range(draw(st.integers(0, 4))):
        row = rows[draw(st.integers(0, len(rows) - 1))]
        if row:
            row[draw(st.integers(0, len(row) - 1))] = draw(st.sampled_from(CELLS))
    change = draw(st.sampled_from(["none", "drop", "double", "short", "row", "separator"]))
    if change in ("drop", "double"):
        column = draw(st.integers(0, min(map(len, rows)) - 1))
        for row in rows:
            row[column : column + 1] = [] if change == "drop" else [row[column]] * 2
    elif change == "short":
        rows[draw(st.integers(0, len(rows) - 1))].pop()
    elif change == "row":
        rows.insert(draw(st.integers(0, len(rows))), list(rows[draw(st.integers(0, 3))]))
    data = (";" if change == "separator" else ",").join("\n".join(map(",".join, rows)).split(","))
    raw = data.encode()
    if draw(st.booleans()):
        return raw
    place = draw(st.integers(0, len(raw)))
    return raw[:place] + draw(st.binary(max_size=3)) + raw[place + draw(st.integers(0, 50)) :]


@st.composite
def imports(draw):
    """Draw both tables, the reader and a few of its options."""
    files = {"losses": draw(hostile_tables(TABLES[draw(st.sampled_from(["long", "wide"]))]))}
    files["mixtures"] = draw(hostile_tables(TABLES["mixtures"]))
    chosen = {"reader": draw(st.sampled_from(READERS))}
    extra = {"tokens_per_step": 1000, "size": "70M", "tokens": 10**9, "unit": "perplexity",
             "drop": ["not_finite", "incomplete", "rising", "spike"]}  # fmt: skip
    for name in draw(st.lists(st.sampled_from(sorted(extra)), max_size=2, unique=True)):
        chosen[name] = extra[name]
    return files, chosen


def check_import(folder, drawn):
    files, chosen = drawn
    paths = {name: str(folder / f"{name}.csv") for name in files}
    for name, data in files.items():
        Path(paths[name]).write_bytes(data)
    if chosen["reader"] == "csv_logger":
        (folder / "logs/a").mkdir(parents=True, exist_ok=True)
        (folder / "logs/a/metrics.csv").write_bytes(files["losses"])
        paths["losses"] = f"{folder}/logs/{{mixture}}/metrics.csv"
    names = ("losses", "runs", "mixtures", "dropped", "imported")
    outputs = {name: folder / f"{name}-out.csv" for name in names}
    config = complete_config({"experiment": "own", "losses": {"files": paths, **chosen}})
    try:
        import_losses(outputs, stage_settings(config)["import"])
    except UserError:
        return


def run_for(seconds, number, strategy, check):
    """Check examples of a strategy: FEW of them, or as many as the seconds allow."""
    end, count = time.monotonic() + seconds, 0
    while count == 0 or time.monotonic() < end:
        calm = settings(max_examples=number, **CALM)
        seed(count)(calm(given(strategy)(check)))()
        count += 1


def test_a_few_configs():
    run_for(0, FEW, hostile_configs(), take)


def test_a_few_tables(tmp_path):
    run_for(0, FEW, imports(), lambda drawn: check_import(tmp_path, drawn))


@pytest.mark.trials
def test_configs_for_five_minutes():
    run_for(SECONDS, 200, hostile_configs(), take)


@pytest.mark.trials
def test_tables_for_five_minutes(tmp_path):
    run_for(SECONDS, 200, imports(), lambda drawn: check_import(tmp_path, drawn))


@pytest.mark.trials
@pytest.mark.parametrize("name", ROOTS)
def test_every_probe(name):
    """At each limit, beyond it, each branch, each wrong kind: taken, or ConfigError."""
    for probe in PROBES[name]:
        if (placed := place(ROOTS[name][1], probe)) is not None:
            refused = check(placed)
            assert refused or not probe.is_wrong, probe
