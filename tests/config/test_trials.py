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
from fixture_results import PlantedSweep, decide, write_benchmarks

from mixlaws.config.complete import read_sections
from mixlaws.config.counted import find_problems, read_counts
from mixlaws.errors import ConfigError
from mixlaws.figures import draw_figures
from mixlaws.report.page import write_report
from mixlaws.runs.sweep import plan_of_tokens
from mixlaws.tables import write_table
from mixlaws.text.accounting import manifest_table
from mixlaws.text.tokens import Manifest
from mixlaws.training.corpus import Corpus, TokenFile

BYTES_PER_TOKEN = 4
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

    @cached_property
    def strengths(self):
        shape = (len(self.validation_domains), len(self.domains))
        return np.random.default_rng(1).uniform(0.25, 0.55, shape) + 0.9 * np.eye(*shape)

    def losses(self, num_params, tokens, proportions):
        mixing = 1 / (np.atleast_2d(proportions) ** 0.5 @ self.strengths.T + 0.05)
        return 1 + mixing + 0.6 * (num_params / 1e5) ** -0.4 + 0.8 * (tokens / 1e6) ** -0.5


def plant_manifests(config, draw):
    """Return manifests with random counts: most, but not all, enough for what is planned."""
    training, validation = config["training"], config["validation"]
    length = training["sequence_length"]
    needed = training["num_steps"] * training["batch_size"] * length
    if config.get("confirmation"):
        needed = config["target"]["tokens"]
    factors = [0.5, 3.0, 3.0, 5.0, 10.0, 10.0, 10.0, 20.0]
    manifests = []
    for domain in config["domains"]:
        tokens = int(needed * draw.choice(factors) / training["max_epochs"])
        manifests.append(_manifest(domain, "train", max(tokens, 2)))
    windows = [0.9, *[1.0, 1.5, 4.0, 20.0] * 5]
    for domain in [*config["domains"], *validation["domains"]]:
        tokens = int(validation["num_windows"] * draw.choice(windows) * length) + 1
        manifests.append(_manifest(domain, "validation", max(tokens, 2)))
    return manifests


def _manifest(domain, split, tokens):
    documents = max(1, tokens // 100)
    return Manifest(
        domain=domain,
        split=split,
        num_documents_read=documents,
        num_documents=documents,
        num_dropped_exact=0,
        num_dropped_near=0,
        num_dropped_other=0,
        num_documents_cut=0,
        num_bytes=BYTES_PER_TOKEN * tokens,
        num_tokens=tokens,
        dtype="uint16",
        sha256="0" * 64,
        vocabulary_size=512,
        end_of_document_id=0,
        tokenizer_sha256="1" * 64,
        source_digest="2" * 64,
        filter_digest="3" * 64,
        text_version=1,
        text_bytes_before_cap=BYTES_PER_TOKEN * tokens,
        text_bytes_before_cap_is_estimated=False,
    )


def plant_corpus(manifests):
    """Return a corpus of as many tokens, all 0, which take no memory."""
    files = {
        (each.split, each.domain): TokenFile(
            np.broadcast_to(np.uint16(0), (each.num_tokens,)),
            each.sha256,
            each.bytes_per_token,
            each.fingerprint(),
        )
        for each in manifests
    }
    return Corpus(
        train={domain: file for (split, domain), file in files.items() if split == "train"},
        validation={d: file for (split, d), file in files.items() if split == "validation"},
        vocabulary_size=manifests[0].vocabulary_size,
    )


def dry_run(seed):
    """Return a complete config with planted manifests, or None if the gate refuses them."""
    try:
        sections = read_sections(draw_config(seed))
    except ConfigError:
        return None
    complete = sections.model_dump()
    manifests = plant_manifests(complete, random.Random(seed))
    if any(find_problems(read_counts(manifests), plan_of_tokens(sections))):
        return None
    return complete, manifests


def reach_the_page(folder, config, manifests):
    """Plant the losses of every run, and do all that the workflow does with them."""
    folder.mkdir()
    truth = Truth(list(config["domains"]), [*config["domains"], *config["validation"]["domains"]])
    truth.weights = config["validation"]["weights"]
    write_table(manifest_table(manifests, truth.domains), folder / "accounting.csv")
    write_table(pd.DataFrame(columns=OVERLAP), folder / "contamination.csv")
    natural = read_counts(manifests).natural
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
            except Exception as error:
                failed[seed] = f"{type(error).__name__}: {error}"
            shutil.rmtree(folder / str(seed))
        seed += 1
    refused = 1 - number / (seed - first)
    with capsys.disabled():
        print(f"{number} random configs passed the gate, which refused {refused:.0%}")
    assert failed == {}, f"reproduce with reach_the_page(folder, *dry_run(seed)): {failed}"
    return refused


def test_a_config_that_passes_the_gate_reaches_a_page(tmp_path, capsys):
    try_configs(2, 0, tmp_path, capsys)


@pytest.mark.trials
def test_a_hundred_configs_that_pass_the_gate_reach_a_page(tmp_path, capsys):
    assert 0.3 <= try_configs(100, 1000, tmp_path, capsys) <= 0.7
