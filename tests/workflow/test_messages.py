"""If something is wrong, the terminal shows one message, once."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PART = "results/smoke/text/python/00000.parquet"
LOG = "results/smoke/logs/read_part/python/00000.log"


def changed_config(fresh, before, after):
    """Write the smoke experiment with one change; return the file's name."""
    text = (ROOT / "tests/workflow/smoke.yaml").read_text()
    assert before in text
    (fresh.folder / "changed.yaml").write_text(text.replace(before, after))
    return "changed.yaml"


def with_python_from(fresh, path):
    """Take one domain from a file instead."""
    return changed_config(
        fresh,
        "{source: embedded, harvest: python, max_bytes: 250_000}",
        f"{{source: files, paths: [{path}]}}",
    )


def test_a_wrong_config_is_one_message_and_nothing_else(fresh):
    config = changed_config(fresh, "count: 3", "count: many")
    output = fresh.snakemake("--dry-run", config=config, check=False)
    assert output.startswith("ConfigError: the config has 1 problem:\n  - mixtures.count: ")
    assert len(output.splitlines()) == 2


def test_text_that_is_missing_is_one_message(fresh):
    """The error occurs while Snakemake plans its jobs."""
    config = with_python_from(fresh, "nowhere/*.jsonl")
    output = fresh.snakemake("--dry-run", config=config, check=False)
    assert output.splitlines()[-1].startswith("DataError: ")
    assert "nowhere" in output
    assert "Traceback" not in output
    assert ".py" not in output.partition("DataError")[2]
    # Nothing is locked by it.
    fresh.snakemake("--cores", "1", config=config, check=False)
    fresh.snakemake("--dry-run")


PLAIN = ["--quiet", "rules", "host"]
BARS = ["--logger", "rich", "--show-failed-logs"]


@pytest.mark.parametrize("arguments", [[], ["--show-failed-logs"], PLAIN, BARS])
def test_a_failed_jobs_message_is_in_the_terminal_once(fresh, arguments):
    (fresh.folder / "text.jsonl").write_text('{"text": "a text"}\nno json\n')
    config = with_python_from(fresh, "text.jsonl")
    output = fresh.snakemake(*arguments, "--", PART, config=config, check=False)
    log = (fresh.folder / LOG).read_text()
    message = log.splitlines()[-1]
    assert message.startswith("DataError: ")
    assert "text.jsonl" in message
    # The bars' log is wrapped at the width of the terminal.
    assert " ".join(output.split()).count(" ".join(message.split())) == 1
    for text in (output, log):
        assert "Traceback" not in text
        assert "/mixlaws/" not in text
    assert not (fresh.results / "benchmarks").exists()  # what failed is not counted


def test_an_unexpected_error_keeps_its_traceback_in_the_log(fresh):
    module = fresh.folder / "mixlaws" / "text" / "parts.py"
    text = module.read_text()
    assert "\ndef part_from_param(" in text
    broken = "\ndef part_from_param(param):\n    raise KeyError('broken')\n\n\ndef _other("
    module.write_text(text.replace("\ndef part_from_param(", broken))
    output = fresh.snakemake("--", PART, check=False)
    assert output.count("KeyError: 'broken'") == 1
    assert f"(unexpected: see the traceback in {LOG})" in output
    log = (fresh.folder / LOG).read_text()
    assert "Traceback (most recent call last)" in log
    assert log.endswith("KeyError: 'broken'\n")


def test_what_a_job_cost_is_recorded_beside_its_log(fresh):
    fresh.snakemake("--", PART)
    (record,) = fresh.results.glob("benchmarks/**/*.json")
    assert record == fresh.results / "benchmarks/read_part/python/00000.json"
    assert '"seconds": ' in record.read_text()


def test_two_config_files_say_which_one_won(fresh):
    (fresh.folder / "mine.yaml").write_text("validation: {weights: {rst: 1.0}}\n")
    arguments = ["--configfile", "tests/workflow/smoke.yaml", "mine.yaml"]
    output = fresh.snakemake("--dry-run", *arguments, config=None, check=False)
    (line,) = [
        each for each in output.splitlines() if "validation.weights: " in each and " of " in each
    ]
    assert line.endswith(f"tests/workflow/smoke.yaml and rst of {fresh.folder}/mine.yaml")
    assert "The config files are merged, and the last one wins:" in output


def test_a_config_without_its_file_says_that_none_was_read(fresh):
    output = fresh.snakemake("--dry-run", "--config", "experiment=x", config=None, check=False)
    assert "domains: missing" in output
    assert output.splitlines()[-2 if "replaces" in output.splitlines()[-1] else -1].startswith(
        "No config file was read: config.yaml is the demo's"
    )
