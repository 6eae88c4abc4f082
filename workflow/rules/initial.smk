"""Shared by the rules: the model that runs start from, as inputs and outputs."""

from mixlaws.config.initial_files import initial_files


def initial_inputs():
    """Return the model that a run starts from as an input by name; no input for random weights.

    An input, not a param: it changes no run of an experiment without such a model.
    """
    if SECTIONS.training.initial is None:
        return {}
    return {"initial": initial_of}


def initial_of(wildcards):
    """Return the files of the model that a run starts from. They are there before any job."""
    size = wildcards.get("size", config["target"]["size"])
    return initial_files(SECTIONS, size, int(wildcards.seed), Path("results"))


def initial_losses():
    """Return the table of losses before the first step as an output by name, if there are any."""
    table = "results/{experiment}/initial.parquet"
    return {} if SECTIONS.training.initial is None else {"initial": table}
