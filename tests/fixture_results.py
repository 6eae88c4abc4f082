"""A results folder of planted losses: the package's own functions write every file of it.

Text, tokens and tables are real and small; no model is trained. Tests get the folder from the
fixture `write_results` of conftest.py.
"""

import json
import math
import re
from pathlib import Path

import numpy as np
from fixture_truth import EXTRA, TARGET

from mixlaws.config.complete import read_sections
from mixlaws.decision.confirmation import check_same_text, compare_confirmation
from mixlaws.decision.decide import decide_mixture, gather_evidence, round_decision
from mixlaws.decision.surface import interaction_table, surface_table
from mixlaws.files import file_sha256, read_json, write_json
from mixlaws.losses.collect import collect_losses, collect_runs, verify_losses
from mixlaws.losses.experiment import open_experiment, supply
from mixlaws.losses.tables import loss_rows, mixture_table, read_losses
from mixlaws.mixtures.designs import choose_mixtures
from mixlaws.mixtures.lattice import Mixture
from mixlaws.recipes import write_recipes
from mixlaws.runs.lengths import num_target_steps
from mixlaws.runs.options import run_options
from mixlaws.runs.run import make_run
from mixlaws.runs.sweep import describe_target, design_of
from mixlaws.scoring.choice import choose_laws
from mixlaws.scoring.law_tables import (
    fit_for_tables,
    joint_table,
    mixing_table,
    size_table,
    step_table,
)
from mixlaws.scoring.record import choice_record, prediction_table, read_choice, score_table
from mixlaws.tables import write_table
from mixlaws.text.accounting import accounting_table, contamination_table
from mixlaws.text.checks import check_domains
from mixlaws.text.duplicates import find_duplicates
from mixlaws.text.parts import plan_parts, plan_shards
from mixlaws.text.reading import domain_source, write_documents
from mixlaws.text.tokenization import join_shards, write_shard
from mixlaws.text.tokenizer import make_tokenizer
from mixlaws.text.tokens import read_manifest
from mixlaws.training.corpus import read_corpus, resolve_proportions
from mixlaws.training.evaluation import evaluation_steps
from mixlaws.training.record import make_record
from mixlaws.training.train import plan_batches

RULES = Path(__file__).parents[1] / "workflow" / "rules"
SECONDS = 12.5
"""Of every run."""


def make_results(folder, planted):
    """Write the whole folder and return its config."""
    config = planted.config(folder / "source")
    _write_source(folder / "source", planted)
    manifests = _tokenize(folder, config)
    sweep = _Sweep(folder, config, planted, manifests)
    sweep.run_proxies()
    _decide(folder, config)
    _write_benchmarks(folder)
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
        source = domain_source(domain, sources[domain], validation_share=share)
        write_documents(source, *parts[domain], path)
    check_domains(documents)
    duplicates, tokenizer = folder / "text/duplicates.parquet", folder / "tokens/tokenizer.json"
    find_duplicates(documents, near=config["duplicates"]["near"], output=duplicates)
    texts = {domain: documents[domain] for domain in trained}
    make_tokenizer(config["tokenizer"], documents=texts, duplicates=duplicates, output=tokenizer)
    manifests = {"train": [], "validation": []}
    for domain, source in sources.items():
        (shard,) = plan_shards(parts[domain], source, shard_bytes=2**30)
        output = folder / "shards" / f"{domain}.parquet"
        write_shard(documents[domain], shard, duplicates, tokenizer, output=output)
        for split in ("validation",) if domain in extra else ("train", "validation"):
            path = folder / "tokens" / domain / f"{split}.json"
            join_shards([output], split=split, tokens=path.with_suffix(".bin"), manifest=path)
            manifests[split].append(path)
    files = [(path.with_suffix(".bin"), path) for paths in manifests.values() for path in paths]
    length = config["training"]["sequence_length"]
    table = accounting_table(files, training_domains=trained, sequence_length=length)
    write_table(table, folder / "accounting.csv")
    measured = [read_manifest(path) for path in manifests["validation"]]
    overlap = contamination_table(duplicates, measured, trained)
    write_table(overlap, folder / "contamination.csv")
    return manifests


class _Sweep:
    """The runs of an experiment: what they would leave, with planted losses."""

    def __init__(self, folder, config, planted, manifests):
        self.folder, self.config, self.planted = folder, config, planted
        self.corpus = read_corpus(manifests["train"], manifests["validation"])
        mixtures = choose_mixtures(design_of(read_sections(config)))
        natural = resolve_proportions("natural", manifests["train"])
        self.mixtures = [*mixtures, Mixture("natural", "baseline", natural)]
        write_table(mixture_table(self.mixtures), folder / "mixtures.csv")

    def run_proxies(self):
        runs = {
            self.folder / "runs" / size / m.id / "seed-0": self._run(m.id, m.proportions, size=size)
            for size in self.config["training"]["sizes"]
            for m in self.mixtures
        }
        self._collect(runs, "losses.parquet", "runs.csv")

    def confirm(self):
        """Write the target's runs and their comparison with the prediction."""
        settings, folder = self.config["confirmation"], self.folder
        named = {m.id: m.proportions for m in self.mixtures if m.id in settings["mixtures"]}
        named["optimum"] = read_json(folder / "target_mixture.json")["proportions"]
        options = {"size": TARGET, "num_steps": num_target_steps(read_sections(self.config))}
        runs = {
            folder / "confirmation" / id / f"seed-{k}": self._run(id, r, seed=k, **options)
            for id, r in named.items()
            for k in settings["seeds"]
        }
        self._collect(runs, "confirmation.parquet", "confirmation_runs.csv")
        check_same_text(folder / "runs.csv", folder / "confirmation_runs.csv")
        losses = read_losses(folder / "confirmation.parquet")
        optimum, weights = read_json(folder / "optimum.json"), self.planted.weights
        write_json(compare_confirmation(losses, optimum, weights), folder / "confirmation.json")

    def _run(self, mixture, proportions, *, size, seed=0, **options):
        config = self.config
        params = (
            config["training"]
            | config["sizes"][size]
            | run_options(read_sections(config))
            | options
        )
        params["num_validation_windows"] = config["validation"]["num_windows"]
        return make_run(params, size=size, mixture=mixture, seed=seed, proportions=proportions)

    def _collect(self, runs, losses, table):
        """Write what each run would leave, then join their files into two tables."""
        rng = np.random.default_rng([0, len(runs)])
        for folder, run in runs.items():
            folder.mkdir(parents=True)
            noise = rng.normal(0, self.planted.noise, len(self.planted.validation_domains))
            write_table(loss_rows(self._rows(run, noise)), folder / "losses.csv")
            record = make_record(run, self.corpus, plan_batches(run, self.corpus))
            digest = {"losses_sha256": file_sha256(folder / "losses.csv")}
            write_json(record | digest, folder / "run.json")
            timing = {"seconds": SECONDS, "tokens_per_second": record["tokens"] / SECONDS}
            write_json(timing, folder / "timing.json")
        paths, records, timings = (
            [run / name for run in runs] for name in ("losses.csv", "run.json", "timing.json")
        )
        verify_losses(paths, records)
        write_table(collect_losses(paths), self.folder / losses)
        domains = list(self.config["domains"])
        write_table(collect_runs(records, timings, domains), self.folder / table)

    def _rows(self, run, noise):
        """Yield what a run's evaluations would measure."""
        for step in evaluation_steps(run.num_steps, run.num_evaluations, run.first_evaluation):
            tokens, shares = step * run.batch_tokens, list(run.proportions.values())
            losses = self.planted.losses(run.shape.num_params, tokens, shares)[0] + noise
            for domain, loss in zip(self.corpus.validation, losses.tolist(), strict=True):
                row = {"size": run.size, "mixture": run.mixture, "seed": run.seed, "step": step}
                row |= {"tokens": tokens, "validation_domain": domain, "loss": loss}
                bits = loss / math.log(2) / self.corpus.validation[domain].bytes_per_token
                yield row | {"accuracy": math.exp(-loss), "bits_per_byte": bits}


def _decide(folder, config):
    """Score and fit the laws, find the optimum, round it and write the recipes."""
    target, weights = describe_target(read_sections(config)), config["validation"]["weights"]
    tables = [folder / name for name in ("losses.parquet", "runs.csv", "mixtures.csv")]
    experiment = open_experiment(*tables, target=target, weights=weights)
    fitted, columns, aim = experiment.fitted, experiment.columns, experiment.target
    scored = choose_laws(
        experiment.observations,
        experiment.held_out,
        target=aim,
        columns=columns,
        options=config["laws"],
    )
    write_json(choice_record(scored, experiment), folder / "laws/choice.json")
    choice, errors = read_choice(folder / "laws/choice.json")
    fit, names = fit_for_tables(fitted, aim, choice), fitted.validation_domains
    sampling = {**config["uncertainty"], "seed": config["seed"], "processes": 1}
    evidence = gather_evidence(
        fitted, choice, target=aim, columns=columns, errors=errors, sampling=sampling
    )
    stated = dict.fromkeys(config["domains"])
    # A confirmation's optimum must fit the text at hand.
    factor = config["training"]["max_epochs"] / config["optimum"]["max_epochs"]
    factor = factor if "confirmation" in config else 0
    decision = decide_mixture(
        evidence,
        config["optimum"],
        target_tokens=aim.tokens,
        baselines=experiment.baselines,
        available_tokens=supply(stated, folder / "accounting.csv", factor),
    )
    law = {"pipeline": choice.pipeline, "mixing": choice.mixing, **config["uncertainty"]}
    optimum = decision | law | experiment.record()
    for name, table in {
        "scores": score_table(scored, columns),
        "predictions": prediction_table(scored, experiment),
        "step_law": step_table(fit, names),
        "size_law": size_table(fit, names, aim.tokens),
        "mixing_law": mixing_table(fit, fitted),
        "joint_law": joint_table(fitted, choice),
        "surface": surface_table(evidence, decision["proportions"]),
        "interaction": interaction_table(evidence),
    }.items():
        write_table(table, folder / "laws" / f"{name}.csv")
    write_json(optimum, folder / "optimum.json")
    rounded = round_decision(optimum, lattice=config["mixtures"]["lattice"])
    write_json(rounded, folder / "target_mixture.json")
    write_recipes(rounded, optimum["target"], folder / "recipes")


def _write_benchmarks(folder):
    """Write what Snakemake's benchmark files hold, for the rules that have one and no other."""
    (folder / "benchmarks").mkdir()
    for rules in ("domains", "proxies", "laws", "optimum"):
        text = (RULES / f"{rules}.smk").read_text()
        for name in re.findall(r"/benchmarks/(\S+)\.tsv", text):
            table = "s\th:m:s\tmax_rss\n2.5\t0:00:02\t120.5\n"
            (folder / "benchmarks" / f"{name}.tsv").write_text(table)
