"""A results folder with planted losses, all of whose files are written by the package.

Text, tokens and tables are real and small; no model is trained. Tests get the folder from the
fixture `write_results` of conftest.py.
"""

import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
from fixture_truth import EXTRA

from mixlaws.config.complete import read_sections
from mixlaws.decision.confirmation import compare_confirmation
from mixlaws.decision.outcome import find_optimum
from mixlaws.decision.rounding import round_optimum
from mixlaws.files import file_sha256, read_json, write_json
from mixlaws.losses.collect import collect_losses
from mixlaws.losses.tables import mixture_table
from mixlaws.mixtures.lattice import Mixture
from mixlaws.provenance import cost_file, record_cost
from mixlaws.recipes.write import write_recipes
from mixlaws.runs.lengths import evaluation_steps, num_target_steps
from mixlaws.runs.options import run_options
from mixlaws.runs.run import make_run
from mixlaws.runs.sweep import describe_target, list_runs, measured_factor
from mixlaws.scoring.fitting import fit_laws
from mixlaws.scoring.record import score_laws
from mixlaws.tables import write_table
from mixlaws.text.accounting import Roles, accounting_table, contamination_table
from mixlaws.text.division import plan_parts, plan_shards
from mixlaws.text.duplicates import find_duplicates
from mixlaws.text.joining import join_shards
from mixlaws.text.reading import read_part
from mixlaws.text.tokenization import tokenize_shard
from mixlaws.text.tokenizer import make_tokenizer
from mixlaws.text.tokens import read_manifest
from mixlaws.training.corpus import read_corpus, resolve_proportions
from mixlaws.training.record import count, make_record
from mixlaws.training.train import plan_batches

RULES = Path(__file__).parents[1] / "workflow" / "rules"
SECONDS = 12.5
"""Of every run."""


def make_results(folder, planted):
    """Write the whole folder and return its config."""
    config = planted.config(folder / "source")
    _write_source(folder / "source", planted)
    manifests = _tokenize(folder, config)
    corpus = read_corpus(manifests["train"], manifests["validation"])
    natural = resolve_proportions("natural", manifests["train"])
    sweep = PlantedSweep(folder, config, planted, corpus, natural)
    sweep.run_proxies()
    decide(folder, config)
    write_benchmarks(folder)
    if planted.confirmed:
        sweep.confirm()
    return config


def _write_source(folder, planted):
    """Write each domain's documents: some repeat one another, a few are in two domains."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(4)
    words = ["".join(rng.choice(list("abcdefghij"), rng.integers(3, 8))) for _ in range(400)]
    shared = []
    for index, domain in enumerate(planted.validation_domains):
        texts = [" ".join(rng.choice(words, 60)) for _ in range(20 * max(3 - index, 1))]
        # Eight nearly the same, one exactly, and eight that the first domain has as well.
        texts += [f"{text} again" for text in texts[:8]] + texts[-1:]
        shared = shared or texts[8:16]
        texts += shared if domain == EXTRA[0] else []
        lines = [json.dumps({"text": text}) + "\n" for text in texts]
        (folder / f"{domain}.jsonl").write_text("".join(lines))


def _tokenize(folder, config):
    """Write token files, accounting and contamination; return manifests by split, in order."""
    extra = config["validation"]["domains"]
    sources, trained = config["domains"] | extra, list(config["domains"])
    parts = {d: plan_parts(d, source, part_bytes=2**30) for d, source in sources.items()}
    documents = {domain: [folder / "text" / domain / "00000.parquet"] for domain in sources}
    for domain, (path,) in documents.items():
        share = 1.0 if domain in extra else config["validation"]["share"]
        read_part(domain, sources[domain], *parts[domain], validation_share=share, output=path)
    duplicates, tokenizer = folder / "text/duplicates.parquet", folder / "tokens/tokenizer.json"
    find_duplicates(documents, near=config["duplicates"]["near"], output=duplicates)
    texts = {domain: documents[domain] for domain in trained}
    make_tokenizer(config["tokenizer"], documents=texts, duplicates=duplicates, output=tokenizer)
    manifests = {"train": [], "validation": []}
    for domain, source in sources.items():
        (shard,) = plan_shards(domain, source, parts[domain], shard_bytes=2**30)
        output = folder / "shards" / f"{domain}.parquet"
        tokenize_shard(documents[domain], shard, duplicates, tokenizer, output=output)
        for split in ("validation",) if domain in extra else ("train", "validation"):
            path = folder / "tokens" / domain / f"{split}.json"
            join_shards([output], split=split, tokens=path.with_suffix(".bin"), manifest=path)
            manifests[split].append(path)
    files = [(path.with_suffix(".bin"), path) for paths in manifests.values() for path in paths]
    table = accounting_table(files, training_domains=trained)
    write_table(table, folder / "accounting.csv")
    measured = [read_manifest(path) for path in manifests["validation"]]
    overlap = contamination_table(duplicates, measured, Roles(trained))
    write_table(overlap, folder / "contamination.csv")
    return manifests


class PlantedSweep:
    """The files that the runs of an experiment would leave, with planted losses."""

    def __init__(self, folder, config, planted, corpus, natural):
        self.folder, self.config, self.planted = folder, config, planted
        self.sections, self.corpus = read_sections(config, is_checked=True), corpus
        sweep = list_runs(self.sections)
        counted = [] if natural is None else [Mixture("natural", "baseline", natural)]
        self.mixtures = [*sweep.mixtures, *counted]
        self.known = [*self.mixtures, *sweep.predicted]
        write_table(mixture_table(self.known), folder / "mixtures.csv")

    def run_proxies(self):
        training, folder = self.config["training"], self.folder / "runs"
        runs = {
            folder / size / m.id / f"seed-{k}": self._run(m.id, m.proportions, size=size, seed=k)
            for size in training["sizes"]
            for m in self.mixtures
            for k in training["seeds"]
        }
        self._collect(runs, "losses.parquet", "runs.csv")

    def confirm(self):
        """Write the target's runs and their comparison with the prediction."""
        settings, folder = self.config["confirmation"], self.folder
        named = {m.id: m.proportions for m in self.known if m.id in settings["mixtures"]}
        named["optimum"] = read_json(folder / "target_mixture.json")["proportions"]
        options = {"size": self.config["target"]["size"], "is_target": True}
        options["num_steps"] = num_target_steps(self.sections)
        runs = {
            folder / "confirmation" / id / f"seed-{k}": self._run(id, r, seed=k, **options)
            for id, r in named.items()
            for k in settings["seeds"]
        }
        self._collect(runs, "confirmation.parquet", "confirmation_runs.csv")
        names = {"losses": "confirmation.parquet", "confirmation_runs": "confirmation_runs.csv"}
        names |= {"runs": "runs.csv", "optimum": "optimum.json"}
        files = {name: folder / path for name, path in names.items()}
        compare_confirmation(files, folder / "confirmation.json", self.planted.weights)

    def _run(self, mixture, proportions, *, size, seed, is_target=False, **options):
        config, own = self.config, run_options(self.sections, is_target=is_target)
        params = config["training"] | config["sizes"][size] | own | options
        params["num_validation_windows"] = config["validation"]["num_windows"]
        return make_run(params, size=size, mixture=mixture, seed=seed, proportions=proportions)

    def _collect(self, runs, losses, table):
        """Write what each run would leave, then join their files into two tables."""
        rng = np.random.default_rng([0, len(runs)])
        for folder, run in runs.items():
            folder.mkdir(parents=True)
            noise = rng.normal(0, self.planted.noise, len(self.planted.validation_domains))
            write_table(pd.DataFrame(self._rows(run, noise)), folder / "losses.csv")
            record = make_record(
                run, self.corpus, plan_batches(run, self.corpus), count(run, self.corpus, None)
            )
            digest = {"losses_sha256": file_sha256(folder / "losses.csv")}
            write_json(record | digest, folder / "run.json")
            timing = {"seconds": SECONDS, "tokens_per_second": record["tokens"] / SECONDS}
            timing["device_seconds_of_all_attempts"] = SECONDS
            write_json(timing, folder / "timing.json")
        paths, records, timings = (
            [run / name for run in runs] for name in ("losses.csv", "run.json", "timing.json")
        )
        outputs = {"losses": self.folder / losses, "runs": self.folder / table}
        planned = [(run.size, run.mixture, run.seed) for run in runs.values()]
        collect_losses(paths, records, timings, outputs, planned=planned)

    def _rows(self, run, noise):
        """Yield what a run's evaluations would measure."""
        given = (run.num_evaluations, run.first_evaluation, run.evaluation_spacing)
        steps = evaluation_steps(run.num_steps, *given)
        for step in steps[-1:] if self.planted.at_point else steps:
            tokens, shares = step * run.batch_tokens, list(run.proportions.values())
            losses = self.planted.losses(run.shape.num_params, tokens, shares)[0] + noise
            for domain, loss in zip(self.corpus.validation, losses.tolist(), strict=True):
                row = {"size": run.size, "mixture": run.mixture, "seed": run.seed, "step": step}
                row |= {"tokens": tokens, "validation_domain": domain, "loss": loss}
                bits = loss / math.log(2) / self.corpus.validation[domain].bytes_per_token
                yield row | {"accuracy": math.exp(-loss), "bits_per_byte": bits}


def decide(folder, config):
    """Score and fit the laws, find the optimum, round it and write the recipes."""
    names = ("scores.csv", "predictions.csv", "choice.json", "law.json", "replicates.parquet")
    names += ("targets.json", "slope_tests.csv")
    names += tuple(f"{name}_law.csv" for name in ("step", "size", "mixing", "joint", "line"))
    laws = {re.split(r"[._]", name)[0]: folder / "laws" / name for name in names}
    laws |= {name: folder / "laws" / f"{name}.csv" for name in ("surface", "interaction")}
    laws |= {f"{name}_law": laws[name] for name in ("step", "size")}
    tables = {"losses": "losses.parquet", "runs": "runs.csv", "mixtures": "mixtures.csv"}
    files = laws | {name: folder / path for name, path in tables.items()}
    files |= {"accounting": folder / "accounting.csv", "optimum": folder / "optimum.json"}
    sections = read_sections(config, is_checked=True)
    settings = {name: config[name] for name in ("laws", "optimum", "uncertainty", "seed")}
    settings |= {"target": describe_target(sections), "planned": list_runs(sections).keys()}
    settings |= {"weights": config["validation"]["weights"]}
    settings |= {"level": config["uncertainty"]["level"]}
    stated = {domain: source.available_tokens for domain, source in sections.domains.items()}
    settings |= {"available_tokens": stated, "measured_factor": measured_factor(sections)}
    for stage in (score_laws, fit_laws, find_optimum):
        stage(files, files, settings)
    round_optimum(
        files["optimum"], folder / "target_mixture.json", lattice=config["mixtures"]["lattice"]
    )
    write_recipes(
        mixture=folder / "target_mixture.json",
        optimum=folder / "optimum.json",
        folder=folder / "recipes",
        tokens_per_document=config["recipes"]["tokens_per_document"],
        accounting=files["accounting"],
    )


def write_benchmarks(folder):
    """Write one job's cost for every rule that has run before the figures are drawn."""
    for rules in ("text", "runs", "losses", "laws", "decision"):
        text = (RULES / f"{rules}.smk").read_text()
        for log in re.findall(r'"results/{experiment}/(logs/\S+\.log)"', text):
            record_cost(cost_file(folder / re.sub(r"{\w+}", "one", log)), seconds=2.5)
