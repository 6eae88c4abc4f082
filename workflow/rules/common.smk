"""What the rules share: the checked config, the runs, and how a run's parameters are looked up."""

from mixlaws.config import complete_config
from mixlaws.mixtures import choose_mixtures
from mixlaws.plan import design_of, num_target_steps
from mixlaws.runtime import read_json, source_digest

config.update(complete_config(config))

EXPERIMENT = config["experiment"]
DOMAINS = list(config["domains"])
VALIDATION_ONLY = list(config["validation"]["domains"])
VALIDATION_DOMAINS = DOMAINS + VALIDATION_ONLY
SOURCES = config["domains"] | config["validation"]["domains"]
# Proportions by mixture id; "natural" is known only from the text, inside the job.
MIXTURES = {m.id: m for m in choose_mixtures(DOMAINS, **design_of(config))}
PROPORTIONS = {id: m.proportions for id, m in MIXTURES.items()} | {"natural": "natural"}
TRAINING = config["training"]
CONFIRMATION = config.get("confirmation", {"mixtures": [], "seeds": []})
CONFIRMED = ["optimum", *CONFIRMATION["mixtures"]] if CONFIRMATION["seeds"] else []


wildcard_constraints:
    experiment=EXPERIMENT,
    domain="|".join(VALIDATION_DOMAINS),
    split="train|validation",
    size="|".join(config["sizes"]),
    mixture="|".join([*PROPORTIONS, "optimum"]),
    seed=r"\d+",


def run_files(name):
    """Every proxy's file of this name."""
    return expand(
        "results/{{experiment}}/runs/{size}/{mixture}/seed-{seed}/" + name,
        size=TRAINING["sizes"],
        mixture=PROPORTIONS,
        seed=TRAINING["seeds"],
    )


def confirmation_files(name):
    """Every confirmation run's file of this name."""
    return expand(
        "results/{{experiment}}/confirmation/{mixture}/seed-{seed}/" + name,
        mixture=CONFIRMED,
        seed=CONFIRMATION["seeds"],
    )


def proportions_of(wildcards):
    """The proportions of a proxy: a param, so that a new mixture retrains no other."""
    return PROPORTIONS[wildcards.mixture]


def confirmed_proportions(wildcards):
    """The proportions of a confirmation run; the optimum's are known once it is found."""
    if wildcards.mixture != "optimum":
        return PROPORTIONS[wildcards.mixture]
    target = checkpoints.round_optimum.get(experiment=wildcards.experiment).output[0]
    return read_json(target)["proportions"]


def found_optimum(wildcards):
    """Nothing to read, but the optimum's runs must wait for it."""
    if wildcards.mixture == "optimum":
        checkpoints.round_optimum.get(experiment=wildcards.experiment)
    return []
