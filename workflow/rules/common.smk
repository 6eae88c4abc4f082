"""What the rules share: the checked config, the runs, and how the values of a job are looked up."""

from dataclasses import asdict
from functools import cache

from mixlaws.config.complete import read_sections
from mixlaws.config.repeated_keys import check_repeated_keys
from mixlaws.text.sources import SOURCES as SOURCE_KINDS
from mixlaws.text.sources.token_files import given_files
from mixlaws.mixtures.lattice import NATURAL, OPTIMUM
from mixlaws.text.division import division_of, plan_parts, plan_shards
from mixlaws.results import Results
from mixlaws.runs.sweep import describe_target, list_runs
from mixlaws.runs.lengths import num_proxy_tokens, num_target_steps
from mixlaws.runs.options import execution_options, process_resources, run_options
from mixlaws.runs.requests import memory_mb, num_gpus, runtime_minutes
from mixlaws.runs.shapes import Shape
from mixlaws.provenance import TEXT_VERSION, TRAINING_VERSION
from mixlaws.errors import ending_with_one_message
from mixlaws.files import read_json

check_repeated_keys(workflow.configfiles)
SECTIONS = read_sections(config)
# Params of rules are plain built-ins: Snakemake compares no other type with the last run's.
config.update(SECTIONS.model_dump())

# What a job trains with, whatever its size and length.
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
# Token files of earlier experiments are read by nobody; a rule for domains needs a pattern even so.
GIVEN_DOMAINS = [
    domain
    for domain, source in SOURCES.items()
    if not SOURCE_KINDS[source["source"]].holds_text
]
READ_DOMAINS = [domain for domain in SOURCES if domain not in GIVEN_DOMAINS]
NO_DOMAIN = "(?!)"
# Without what does not concern the text: a new available_tokens reads nothing again.
TEXT_OPTIONS = {
    domain: {key: value for key, value in source.items() if key != "available_tokens"}
    for domain, source in SOURCES.items()
}
# Every run, and the proportions by mixture id; natural's are known only from the text, inside the job.
SWEEP = list_runs(SECTIONS)
MIXTURES = SWEEP.mixtures
PROPORTIONS = SWEEP.proportions | {NATURAL: NATURAL}
TRAINING = config["training"]
SETTINGS = {key: TRAINING[key] for key in TRAINING_KEYS} | {
    "num_validation_windows": config["validation"]["num_windows"]
}
CONFIRMATION = config.get("confirmation", {"mixtures": [], "seeds": []})
TARGET = describe_target(SECTIONS)
AVAILABLE_TOKENS = {
    d: source.get("available_tokens") for d, source in config["domains"].items()
}
CONFIRMED = bool(SWEEP.confirmations)

# A confirmation trains on the text at hand: its optimum must fit into that.
MEASURED_FACTOR = (
    TRAINING["max_epochs"] / config["optimum"]["max_epochs"] if CONFIRMED else 0
)


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
    """The share of a domain's documents that no training sees."""
    return 1.0 if wildcards.domain in VALIDATION_ONLY else config["validation"]["share"]


@cache
@ending_with_one_message()
def division(domain):
    """The sizes of a domain's parts and shards: those of the config when it was first tokenized."""
    path = f"results/{EXPERIMENT}/tokens/{domain}/division.json"
    return division_of(path, config["tokenization"])


@cache
@ending_with_one_message()
def parts_of(domain):
    """What each job reads of a domain: listed once, and only in jobs that ask for it."""
    part_bytes = division(domain)["part_bytes"]
    return plan_parts(domain, TEXT_OPTIONS[domain], part_bytes=part_bytes)


@cache
@ending_with_one_message()
def shards_of(domain):
    """What each job tokenizes of a domain."""
    shard_bytes = division(domain)["shard_bytes"]
    parts, options = parts_of(domain), TEXT_OPTIONS[domain]
    return plan_shards(domain, options, parts, shard_bytes=shard_bytes)


def division_for(wildcards):
    """The sizes that a domain's tokenization fixes."""
    return division(wildcards.domain)


def part_of(wildcards):
    """The part that a job reads, sizes included: a changed file is read again."""
    return parts_of(wildcards.domain)[int(wildcards.part)].as_param()


def source_files(wildcards):
    """The files of a part; none for sources that are no files."""
    files = parts_of(wildcards.domain)[int(wildcards.part)].files
    return [file.path for file in files]


def documents_of(domains):
    """The documents files of domains, in order of their parts."""
    return [
        f"results/{EXPERIMENT}/text/{domain}/{part:05d}.parquet"
        for domain in domains
        for part in range(len(parts_of(domain)))
    ]


def all_documents(wildcards):
    """Every documents file."""
    return documents_of(READ_DOMAINS)


def training_documents(wildcards):
    """The documents files of the training domains."""
    return documents_of([domain for domain in DOMAINS if domain in READ_DOMAINS])


def shard_of(wildcards):
    """The parts, or the piece of a part, that a job tokenizes."""
    return shards_of(wildcards.domain)[int(wildcards.shard[:5])].as_param()


def shard_documents(wildcards):
    """The documents files of a shard's parts."""
    shard = shards_of(wildcards.domain)[int(wildcards.shard[:5])]
    folder = f"results/{EXPERIMENT}/text/{wildcards.domain}"
    return [f"{folder}/{part:05d}.parquet" for part in shard.parts]


def shard_files(wildcards):
    """All shards of a domain, in order."""
    count = len(shards_of(wildcards.domain))
    return [
        f"results/{EXPERIMENT}/shards/{wildcards.domain}/{k:05d}-of-{count:05d}.parquet"
        for k in range(count)
    ]


@ending_with_one_message()
def given_pair(wildcards):
    """The token file and the manifest of a domain that is given as token files."""
    source = SOURCES[wildcards.domain]
    tokens, manifest = given_files(wildcards.domain, source, wildcards.split)
    return {"tokens": str(tokens), "manifest": str(manifest)}


def token_files(suffix):
    """Every token file, or its manifest: the training splits first."""
    pattern = "results/{{experiment}}/tokens/{domain}/{split}{suffix}"
    return [
        *expand(pattern, domain=DOMAINS, split="train", suffix=suffix),
        *expand(pattern, domain=VALIDATION_DOMAINS, split="validation", suffix=suffix),
    ]


def training_inputs():
    """The token files and manifests that every run reads, by name."""
    pattern = "results/{{experiment}}/tokens/{domain}/{split}{suffix}"
    domains = {"train": DOMAINS, "validation": VALIDATION_DOMAINS}
    suffixes = {"": ".bin", "_manifests": ".json"}
    return {
        split + name: expand(pattern, domain=domains[split], split=split, suffix=suffix)
        for split in domains
        for name, suffix in suffixes.items()
    }


def run_files(name):
    """Every proxy's file of this name."""
    return [str(run.files(RESULTS).folder / name) for run in SWEEP.proxies]


def confirmation_files(name):
    """Every confirmation run's file of this name."""
    return [str(run.files(RESULTS).folder / name) for run in SWEEP.confirmations]


def results_folder(wildcards):
    """Where the report's parts are read from."""
    return f"results/{wildcards.experiment}"


def proportions_of(wildcards):
    """The proportions of a proxy: a param, so that a new mixture retrains no other."""
    return PROPORTIONS[wildcards.mixture]


def shape_of(wildcards):
    """The layers, width and heads of a proxy."""
    return config["sizes"][wildcards.size]


def execution_of(wildcards, threads, resources):
    """How a proxy is executed: devices, micro-batch, saved states.

    Snakemake does not record the params of a function that takes `threads` or `resources`: a
    change of these options trains nothing again.
    """
    return execution_options(SECTIONS) | {"num_threads": threads}


def confirmed_execution_of(wildcards, threads, resources):
    """How a confirmation run is executed; not recorded either."""
    return execution_options(SECTIONS, is_target=True) | {"num_threads": threads}


def num_params_of(wildcards):
    """The non-embedding parameters of a run: a confirmation has the target's size."""
    size = wildcards.get("size", config["target"]["size"])
    return Shape(**config["sizes"][size], layout=TRAINING["layout"]).num_params


def memory_of(wildcards, attempt):
    """The memory that a run asks a cluster for, in MB."""
    return memory_mb(num_params_of(wildcards), attempt)


def runtime_of(wildcards, attempt):
    """The time limit that a run asks a cluster for, in minutes."""
    return runtime_minutes(num_params_of(wildcards), attempt)


def confirmed_proportions(wildcards):
    """The proportions of a confirmation run; the optimum's are known once it is found."""
    if wildcards.mixture != OPTIMUM:
        return PROPORTIONS[wildcards.mixture]
    target = checkpoints.round_optimum.get(experiment=wildcards.experiment).output[0]
    return read_json(target)["proportions"]


def found_optimum(wildcards):
    """Nothing to read, but the optimum's runs must wait for it."""
    if wildcards.mixture == OPTIMUM:
        checkpoints.round_optimum.get(experiment=wildcards.experiment)
    return []


def report_inputs(wildcards):
    """What the figures and the page read; the confirmation only if it is on."""
    names = [
        "accounting.csv",
        "contamination.csv",
        "mixtures.csv",
        "runs.csv",
        "losses.parquet",
        "optimum.json",
    ]
    names += [f"laws/{name}_law.csv" for name in ("step", "size", "mixing")]
    names += ["laws/scores.csv", "laws/predictions.csv", "laws/choice.json"]
    names += ["laws/surface.csv", "laws/interaction.csv"]
    if CONFIRMED:
        names += ["confirmation.parquet", "confirmation_runs.csv", "confirmation.json"]
    return [f"results/{wildcards.experiment}/{name}" for name in names]
