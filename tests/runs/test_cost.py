"""The plan of an experiment, from its config alone."""

import csv
import subprocess
import sys

import pytest
import yaml

from mixlaws.config.complete import read_sections
from mixlaws.config.template import new_config
from mixlaws.config.training import Training
from mixlaws.errors import ConfigError
from mixlaws.runs.cost import check_plan, plan_tables, write_plan
from mixlaws.runs.options import run_options
from mixlaws.runs.run import RUN_DEFAULTS, Run, make_run
from mixlaws.runs.supply import matched_repetition


@pytest.fixture
def load(root):
    def load(name, **changes):
        path = root / (f"experiments/{name}.yaml" if name != "demo" else "tests/config/whole.yaml")
        config = yaml.safe_load(new_config(name) if name == "new" else path.read_text())
        for key, value in changes.items():
            section, name = key.split("__")
            config.setdefault(section, {})[name] = value
        return read_sections(config)

    return load


def run_rows(config):
    return plan_tables(config)["plan.csv"]


def domain_rows(config):
    return plan_tables(config)["plan_domains.csv"]


def by_role(rows):
    return {(row["role"], row["size"]): row for row in rows}


def test_the_papers_protocol_costs_what_the_convention_says(load):
    rows = by_role(run_rows(load("redpajama")))
    sampled, target = rows["sum: sampled mixtures", ""], rows["target, not trained here", "1B"]
    assert sampled["runs"] == 80
    assert sampled["flops"] == pytest.approx(3.747e21, rel=1e-3)
    assert sampled["flops"] / target["flops"] == pytest.approx(5.7, abs=0.05)
    small = rows["sampled mixtures", "70M"]
    assert small["parameters"] == 18_915_328
    assert small["steps"] == 30_000
    assert small["tokens_per_run"] == 30_000 * 1_048_576
    assert target["steps"] == 100_000
    # 31.5B tokens of 0.343 GFLOP at 37 % of 989.5 TFLOP/s.
    assert small["hours_per_run"] == pytest.approx(8.195, abs=0.01)


def test_the_demo_is_counted_with_its_confirmation(load):
    rows = by_role(run_rows(load("demo")))
    assert rows["sum of all", ""]["runs"] == 42
    assert rows["confirmation", "332K"]["runs"] == 6
    assert rows["sampled mixtures", "25K"]["runs"] == 8
    assert rows["held-out mixtures", "25K"]["runs"] == rows["baselines", "25K"]["runs"] == 2


def test_the_data_table_names_the_largest_run_of_each_domain(load):
    rows = {row["domain"]: row for row in domain_rows(load("demo"))}
    docs = rows["docs"]
    assert docs["tokens_at_hand"] == int(3_500_000 * 0.9 / 4)
    assert docs["counted_by"] == "max_bytes / 4"
    assert docs["largest_share"] == 0.875
    assert docs["proxy_needs"] == 0.875 * 614_400
    assert docs["proxy_epochs"] == pytest.approx(537_600 / 787_500)


def test_repetition_is_matched_where_a_limit_binds_and_says_why(load):
    config = load("new")
    cuts = {cut.domain: cut for cut in matched_repetition(config)}
    assert set(cuts) == {"code", "books"}
    # 2B tokens at a 20B target, a proxy of 1.05B: the same share of the text, the same epochs.
    assert cuts["books"].tokens == 2_000_000_000 * 1_048_576_000 // 20_000_000_000
    assert "can repeat its 2,000,000,000 tokens 4 times" in cuts["books"].reason
    assert run_options(config)["unique_tokens"]["books"] == cuts["books"].tokens
    assert "unique_tokens" not in run_options(config, is_target=True)
    (books,) = (row for row in domain_rows(config) if row["domain"] == "books")
    assert books["proxy_epochs"] == books["proxy_needs"] / cuts["books"].tokens == 10
    check_plan(config)  # what matches the target's repetition is none too many
    assert matched_repetition(load("new", training__match_repetition=False)) == []
    assert matched_repetition(load("new", optimum__max_epochs=1)) == []


def test_the_plan_is_written_before_it_is_refused(load, tmp_path):
    config = load("demo", training__max_epochs=0.5)
    text = write_plan(config, tmp_path)
    with pytest.raises(ConfigError) as error:
        check_plan(config)
    assert "more than training.max_epochs (0.5) times" in str(error.value)
    assert "docs (787,500 tokens, max_bytes / 4; mix-002 needs 537,600: 0.68 epochs)" in str(
        error.value
    )
    for name, rows in plan_tables(config).items():
        written = list(csv.DictReader((tmp_path / name).open()))
        assert len(written) == len(rows)
        assert str(tmp_path / name) in text
    check_plan(load("demo"))


def mixlaws(root, *arguments):
    command = [sys.executable, "-m", "mixlaws", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


def test_plan_is_a_command_that_prints_the_plan_and_then_refuses(root, tmp_path):
    arguments = ["plan", "--directory", tmp_path, "--configfile"]
    found = mixlaws(root, *arguments, "tests/config/whole.yaml")
    assert found.returncode == 0, found.stderr
    assert "sum of all" in found.stdout
    assert (tmp_path / "results/demo/plan.csv").is_file()
    config = yaml.safe_load((root / "tests/config/whole.yaml").read_text())
    config["training"]["max_epochs"] = 0.5
    (tmp_path / "short.yaml").write_text(yaml.safe_dump(config))
    refused = mixlaws(root, *arguments, tmp_path / "short.yaml")
    assert refused.returncode == 1
    assert "sum of all" in refused.stdout
    assert len(refused.stderr.splitlines()) == 1
    assert "training.max_epochs" in refused.stderr


@pytest.mark.parametrize("command", ["plan", "status"])
def test_published_losses_have_nothing_to_plan_or_to_wait_for(root, tmp_path, command):
    arguments = ["--directory", tmp_path, "--configfile", "experiments/paper.yaml"]
    found = mixlaws(root, command, *arguments)
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("paper: fits laws to losses that exist.")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_config_is_named(root, tmp_path):
    path = tmp_path / "broken.yaml"
    for text, expected in (
        ("domains: [", "is not valid YAML"),
        ("", "has no keys"),
        ("seed: 1\nseed: 2\n", "seed"),
    ):
        path.write_text(text)
        found = mixlaws(root, "plan", "--configfile", path)
        assert found.returncode == 1
        assert "Traceback" not in found.stderr
        assert str(path) in found.stderr
        assert expected in found.stderr


def test_a_confirmation_that_would_repeat_too_often_is_refused(load):
    """The target's runs are the largest."""
    config = load("demo", target__tokens=2_457_600)
    target, domains = config.target.tokens, len(config.domains)
    rows = {row["domain"]: row for row in domain_rows(config)}
    docs = rows["docs"]
    assert docs["confirmed_mixture"] == "uniform"
    assert docs["confirmation_needs"] == target / domains
    assert docs["confirmation_epochs"] == pytest.approx(target / domains / 787_500)
    with pytest.raises(ConfigError, match=r"uniform of the confirmation needs 819,200: 1.04 epoc"):
        check_plan(config)
    check_plan(load("demo", target__tokens=2_457_600, confirmation__mixtures=[]))


def test_the_text_of_local_files_is_counted_by_their_bytes(load, tmp_path):
    (tmp_path / "a.txt").write_text("x" * 4000)
    found = {}
    for pattern in ("*.txt", "none*"):
        source = {"source": "files", "paths": [str(tmp_path / pattern)]}
        rows = domain_rows(load("new", domains__web=source))
        (found[pattern],) = (row for row in rows if row["domain"] == "web")
    assert found["*.txt"]["tokens_at_hand"] == 990
    assert found["*.txt"]["counted_by"] == "bytes of its files / 4"
    web = found["none*"]
    assert web["tokens_at_hand"] is None
    assert web["counted_by"] == "unknown until it is read"


def test_only_options_that_differ_reach_a_training_rule(load):
    """A key that a later version adds with its default retrains nothing."""
    assert run_options(load("demo")) == {}
    cosine = run_options(load("redpajama"))
    assert cosine == {
        "layout": "neox",
        "tied_embeddings": False,
        "schedule": "cosine",
        "schedule_horizon": 100_000,
        "evaluation_spacing": "linear",
    }


def test_defaults_of_the_config_are_those_of_a_run():
    for name, default in RUN_DEFAULTS.items():
        if name not in ("unique_tokens", "initial_weights"):
            assert Training.model_fields[name].default == default, name


def test_options_at_their_default_are_no_part_of_a_runs_identity():
    needed = {name: 1 for name in Run.__dataclass_fields__ if name not in RUN_DEFAULTS}
    run = make_run(needed)
    assert set(run.identity()) == set(needed) - {"max_epochs"}
    assert make_run(needed | {"layout": "neox"}).identity()["layout"] == "neox"


def test_small_proxies_are_advised_to_share_a_gpu(load, tmp_path):
    config = load("demo", plan__device="H100")
    assert "training.runs_per_device lets them share it: up to 25K 8, 56K 8" in write_plan(
        config, tmp_path
    )
    for changes in ({"training__accelerator": "cpu"}, {"training__runs_per_device": 8}):
        assert "share it" not in write_plan(load("demo", plan__device="H100", **changes), tmp_path)
    assert "share it" not in write_plan(load("redpajama"), tmp_path)
