"""Shared by the rules: the checked config, the list of runs, and functions for inputs and params."""

from functools import cache

from mixlaws.text.sources import SOURCES as SOURCE_KINDS
from mixlaws.text.sources.paths import modified_at, plain_path, watched
from mixlaws.text.sources.token_files import given_files
from mixlaws.mixtures.lattice import NATURAL, OPTIMUM
from mixlaws.text.division import division_of, plan_parts, plan_shards
from mixlaws.results import Results
from mixlaws.runs.sweep import (
    describe_target,
    list_runs,
    measured_factor,
    plan_of_tokens,
)
from mixlaws.runs.lengths import num_target_steps
from mixlaws.runs.options import execution_options, process_resources, run_options
from mixlaws.runs.requests import memory_mb, num_gpus, runtime_minutes
from mixlaws.runs.shapes import Shape
from mixlaws.provenance import TEXT_VERSION, TRAINING_VERSION
from mixlaws.errors import ending_with_one_message
from mixlaws.files import read_json

# Settings of training that are the same for all sizes and lengths.
TRAINING_KEYS = [
    *["batch_size", "sequence_length", "learning_rate", "embedding_learning_rate"],
    *["warmup_steps", "weight_decay", "gradient_clip_norm", "averaging_exponent"],
    *["num_evaluations", "first_evaluation", "max_epochs"],
]
EXPERIMENT = config["experiment"]
RESULTS = Results(f"results/{EXPERIMENT}")
DOMAINS = list(config["domains"])
VALIDATION_ONLY = list(config["validation"]["domains"])
VALIDATION_DOMAINS = [*DOMAINS, *VALIDATION_ONLY]
SOURCES = config["domains"] | config["validation"]["domains"]
# Domains given as token files skip reading. NO_DOMAIN keeps a wildcard constraint non-empty.
GIVEN_DOMAINS = [
    domain
    for domain, source in SOURCES.items()
    if not SOURCE_KINDS[source["source"]].holds_text
]
TRAINS_TOKENIZER = "train" in config["tokenizer"]
READ_DOMAINS = [domain for domain in SOURCES if domain not in GIVEN_DOMAINS]
NO_DOMAIN = "(?!)"
# available_tokens is left out, so that a change of it does not read the text again.
TEXT_OPTIONS = {
    domain: {key: value for key, value in source.items() if key != "available_tokens"}
    for domain, source in SOURCES.items()
}
# Every run, and the proportions by mixture id. If natural is not stated, they come from the text,
# inside the job.
SWEEP = list_runs(SECTIONS)
PROPORTIONS = {NATURAL: NATURAL} | SWEEP.proportions
PLANNED = SWEEP.keys()
TRAINING = config["training"]
SETTINGS = {key: TRAINING[key] for key in TRAINING_KEYS} | {
    "num_validation_windows": config["validation"]["num_windows"]
}
TARGET = describe_target(SECTIONS)
AVAILABLE_TOKENS = {
    d: source.get("available_tokens") for d, source in config["domains"].items()
}
CONFIRMED = bool(SWEEP.confirmations)
LATTICE = config["mixtures"]["lattice"]
ACCOUNTING = "results/{experiment}/accounting.csv"

MEASURED_FACTOR = measured_factor(SECTIONS)
TOKEN_PLAN = plan_of_tokens(SECTIONS, SWEEP)


wildcard_constraints:
    experiment=EXPERIMENT,
    domain="|".join(VALIDATION_DOMAINS),
    split="train|validation",
    part=r"\d{5}",
    shard=r"\d{5}-of-\d{5}",
    size="|".join(config["sizes"]),
    mixture="|".join([*PROPORTIONS, OPTIMUM]),
    seed=r"\d+",


def validation_share_of(wildcards):
    """Return the share of a domain's documents that are kept for validation."""
    return 1.0 if wildcards.domain in VALIDATION_ONLY else config["validation"]["share"]


@cache
@ending_with_one_message()
def division(domain):
    """Return the sizes of a domain's parts and shards, fixed when it was first tokenized."""
    path = f"results/{EXPERIMENT}/tokens/{domain}/division.json"
    return division_of(path, config["tokenization"])


@cache
@ending_with_one_message()
def parts_of(domain):
    """Return the part of a domain that each job reads; listed once, and only if needed."""
    part_bytes = division(domain)["part_bytes"]
    return plan_parts(domain, TEXT_OPTIONS[domain], part_bytes=part_bytes)


@cache
@ending_with_one_message()
def shards_of(domain):
    """Return the shard of a domain that each job tokenizes."""
    shard_bytes = division(domain)["shard_bytes"]
    parts, options = parts_of(domain), TEXT_OPTIONS[domain]
    return plan_shards(domain, options, parts, shard_bytes=shard_bytes)


def division_for(wildcards):
    """Return the sizes of a domain's parts and shards."""
    return division(wildcards.domain)


def part_of(wildcards):
    """Return the part that a job reads, with file sizes, so that a changed file is read again."""
    return parts_of(wildcards.domain)[int(wildcards.part)].as_param()


def unrecorded_stamps(wildcards, resources):
    """Return the stamps of the files of a part as planned. Snakemake does not record them."""
    return parts_of(wildcards.domain)[int(wildcards.part)].stamps()


def files_of(wildcards):
    """Return the files of a part; none if the source does not consist of files."""
    return parts_of(wildcards.domain)[int(wildcards.part)].files


def documents_of(domains):
    """Return the document files of domains, in the order of their parts."""
    return [
        f"results/{EXPERIMENT}/text/{domain}/{part:05d}.parquet"
        for domain in domains
        for part in range(len(parts_of(domain)))
    ]


def all_documents(wildcards):
    """Return all document files."""
    return documents_of(READ_DOMAINS)


def training_documents(wildcards):
    """Return the document files of the training domains."""
    return documents_of([domain for domain in DOMAINS if domain in READ_DOMAINS])


def shard_of(wildcards):
    """Return the parts, or the piece of a part, that a job tokenizes."""
    return shards_of(wildcards.domain)[int(wildcards.shard[:5])].as_param()


def shard_documents(wildcards):
    """Return the document files of a shard's parts."""
    shard = shards_of(wildcards.domain)[int(wildcards.shard[:5])]
    folder = f"results/{EXPERIMENT}/text/{wildcards.domain}"
    return [f"{folder}/{part:05d}.parquet" for part in shard.parts]


def shard_files(wildcards):
    """Return all shards of a domain, in order."""
    count = len(shards_of(wildcards.domain))
    return [
        f"results/{EXPERIMENT}/shards/{wildcards.domain}/{k:05d}-of-{count:05d}.parquet"
        for k in range(count)
    ]


@ending_with_one_message()
def given_pair(wildcards):
    """Return the token file and the manifest of a domain that is given as token files."""
    source = SOURCES[wildcards.domain]
    tokens, manifest = given_files(wildcards.domain, source, wildcards.split)
    return {"tokens": str(tokens), "manifest": str(manifest)}


def token_files(suffix):
    """Return all token files, or their manifests, with the training splits first."""
    pattern = "results/{{experiment}}/tokens/{domain}/{split}{suffix}"
    return [
        *expand(pattern, domain=DOMAINS, split="train", suffix=suffix),
        *expand(pattern, domain=VALIDATION_DOMAINS, split="validation", suffix=suffix),
    ]


def training_inputs():
    """Return the token files and manifests that every run reads, by name."""
    pattern = "results/{{experiment}}/tokens/{domain}/{split}{suffix}"
    domains = {"train": DOMAINS, "validation": VALIDATION_DOMAINS}
    suffixes = {"": ".bin", "_manifests": ".json"}
    return {
        split + name: expand(pattern, domain=domains[split], split=split, suffix=suffix)
        for split in domains
        for name, suffix in suffixes.items()
    }


def run_files(name):
    """Return the file with this name of every proxy."""
    return [str(run.files(RESULTS).folder / name) for run in SWEEP.proxies]


def confirmation_files(name):
    """Return the file with this name of every confirmation run."""
    return [str(run.files(RESULTS).folder / name) for run in SWEEP.confirmations]


def results_folder(wildcards):
    """Return the folder from which the report is made."""
    return f"results/{wildcards.experiment}"


def proportions_of(wildcards):
    """Return the proportions of a proxy. As a param, a new mixture does not retrain others."""
    return PROPORTIONS[wildcards.mixture]


def shape_of(wildcards):
    """Return the layers, width and heads of a proxy."""
    return config["sizes"][wildcards.size]


def unrecorded_plan(wildcards, resources):
    """Return what the experiment needs of its tokens. Snakemake does not record it."""
    return TOKEN_PLAN


def execution_of(wildcards, threads, resources):
    """Return how a proxy is executed: devices, micro-batch, saved states.

    Snakemake does not record params from a function that takes `threads` or `resources`, so a
    change of these options does not retrain anything.
    """
    return execution_options(SECTIONS) | {"num_threads": threads}


def confirmed_execution_of(wildcards, threads, resources):
    """Return how a confirmation run is executed. Snakemake does not record this either."""
    return execution_options(SECTIONS, is_target=True) | {"num_threads": threads}


def num_params_of(wildcards):
    """Return the non-embedding parameters of a run; a confirmation has the target's size."""
    size = wildcards.get("size", config["target"]["size"])
    return Shape(**config["sizes"][size], layout=TRAINING["layout"]).num_params


def memory_of(wildcards, attempt):
    """Return the memory that a run requests from a cluster, in MB."""
    return memory_mb(num_params_of(wildcards), attempt)


def runtime_of(wildcards, attempt):
    """Return the time limit that a run requests from a cluster, in minutes."""
    return runtime_minutes(num_params_of(wildcards), attempt)


def confirmed_proportions(wildcards):
    """Return the proportions of a confirmation run. The optimum's are known once it is rounded."""
    if wildcards.mixture != OPTIMUM:
        return PROPORTIONS[wildcards.mixture]
    target = checkpoints.round_optimum.get(experiment=wildcards.experiment).output[0]
    return read_json(target)["proportions"]


def found_optimum(wildcards):
    """Return no files, but make runs on the optimum wait until it is rounded."""
    if wildcards.mixture == OPTIMUM:
        checkpoints.round_optimum.get(experiment=wildcards.experiment)
    return []


def report_inputs(wildcards):
    """Return the inputs of the figures and the page, with the confirmation if it is on."""
    names = [
        "accounting.csv",
        "contamination.csv",
        "mixtures.csv",
        "runs.csv",
        "losses.parquet",
        "optimum.json",
    ]
    names += [f"laws/{name}_law.csv" for name in ("step", "size", "mixing", "line")]
    names += ["laws/law.json", "laws/slope_tests.csv"]
    names += ["laws/scores.csv", "laws/predictions.csv", "laws/choice.json"]
    names += ["laws/surface.csv", "laws/interaction.csv"]
    names += ["laws/law.json", "laws/targets.json", "laws/replicates.parquet"]
    if CONFIRMED:
        names += ["confirmation.parquet", "confirmation_runs.csv", "confirmation.json"]
    if "compute_budget" in config:
        names += ["budget.json", "laws/isoflop.csv"]
    return [f"results/{wildcards.experiment}/{name}" for name in names]
