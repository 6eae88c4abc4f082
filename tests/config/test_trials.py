"""A config that passes the gate reaches a page: random configs on planted losses.

No text is read and nothing is trained. The counts of tokens and the losses are planted; all that
follows them is the package's own.
"""

import random
import shutil
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pytest
from config_draws import draw_config
from fixture_counts import plant_corpus, plant_manifests
from fixture_results import PlantedSweep, decide, write_benchmarks

from mixlaws.config.complete import read_sections
from mixlaws.config.counted import find_problems, read_counts
from mixlaws.errors import ConfigError
from mixlaws.figures import draw_figures
from mixlaws.report.page import write_report
from mixlaws.runs.sweep import counts_natural, list_runs, plan_of_tokens
from mixlaws.tables import write_table
from mixlaws.text.accounting import manifest_table

OVERLAP = [
    *("validation_domain", "training_domain", "num_validation_documents", "num_overlapping"),
    *("share", "num_removed_exact", "num_removed_near"),
]


@dataclass
class Truth:
    """Losses of any number of domains: L_i = 1 + 1 / (0.05 + sum_j C_ij r_j^0.5) + size, tokens."""

    domains: list
    validation_domains: list
    noise: float = 0.002
    weights: dict = None
    at_point: bool = False

    @cached_property
    def strengths(self):
        shape = (len(self.validation_domains), len(self.domains))
        return np.random.default_rng(1).uniform(0.25, 0.55, shape) + 0.9 * np.eye(*shape)

    def losses(self, num_params, tokens, proportions):
        mixing = 1 / (np.atleast_2d(proportions) ** 0.5 @ self.strengths.T + 0.05)
        return 1 + mixing + 0.6 * (num_params / 1e5) ** -0.4 + 0.8 * (tokens / 1e6) ** -0.5


def dry_run(seed):
    """Return a complete config with planted manifests, or None if the gate refuses them."""
    try:
        sections = read_sections(draw_config(seed))
    except ConfigError:
        return None
    complete = sections.model_dump()
    manifests = plant_manifests(complete, random.Random(seed))
    plan = plan_of_tokens(sections, list_runs(sections))
    counts = read_counts(manifests, counts_natural=plan["counts_natural"])
    if any(find_problems(counts, plan)):
        return None
    return complete, manifests


def reach_the_page(folder, config, manifests):
    """Plant the losses of every run, and do all that the workflow does with them."""
    folder.mkdir()
    truth = Truth(list(config["domains"]), [*config["domains"], *config["validation"]["domains"]])
    truth.weights = config["validation"]["weights"]
    write_table(manifest_table(manifests, truth.domains), folder / "accounting.csv")
    write_table(pd.DataFrame(columns=OVERLAP), folder / "contamination.csv")
    is_counted = counts_natural(read_sections(config, is_checked=True))
    natural = read_counts(manifests, counts_natural=is_counted).natural
    sweep = PlantedSweep(folder, config, truth, plant_corpus(manifests), natural)
    sweep.run_proxies()
    decide(folder, config)
    write_benchmarks(folder)
    if "confirmation" in config:
        sweep.confirm()
    draw_figures(folder, config, folder / "figures")
    write_report(folder, config, folder / "report.html")
    assert "Recommended shares" in (folder / "report.html").read_text()


def try_configs(number, first, folder, capsys):
    """Draw configs until `number` of them passed the gate; all of these reach a page."""
    failed, passed, seed = {}, 0, first
    while passed < number:
        found = dry_run(seed)
        if found is not None:
            passed += 1
            try:
                reach_the_page(folder / str(seed), *found)
            except Exception as error:  # noqa: BLE001 (any error is one too many)
                failed[seed] = f"{type(error).__name__}: {error}"
            shutil.rmtree(folder / str(seed))
        seed += 1
    refused = 1 - number / (seed - first)
    with capsys.disabled():
        print(f"{number} random configs passed the gate, which refused {refused:.0%}")
    assert failed == {}, f"reproduce with reach_the_page(folder, *dry_run(seed)): {failed}"
    return refused


def test_a_config_that_passes_the_gate_reaches_a_page(tmp_path, capsys):
    try_configs(1, 0, tmp_path, capsys)


@pytest.mark.trials
def test_a_hundred_configs_that_pass_the_gate_reach_a_page(tmp_path, capsys):
    assert 0.3 <= try_configs(100, 1000, tmp_path, capsys) <= 0.7
