"""Print the types in the params of every rule: `list_params.py CONFIG`, in the project."""

import json
import sys
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.common.tbdstring import TBDString
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
)


def types_in(value):
    """Yield the name of each type that a value is built of."""
    # Known once a checkpoint is reached.
    yield "str" if type(value) is TBDString else type(value).__name__
    if isinstance(value, dict):
        for each in [*value, *value.values()]:
            yield from types_in(each)
    elif isinstance(value, list | tuple | set):
        for each in value:
            yield from types_in(each)


def find_params(config):
    """Return the types in every param by rule and name, of all jobs that a whole run has."""
    output = OutputSettings(quiet={Quietness.ALL}, dryrun=True)
    with SnakemakeApi(output) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=[Path(config)]),
            snakefile=Path("Snakefile"),
        )
        workflow.dag(DAGSettings(forceall=True)).execute_workflow(executor="dryrun")
        found = {}
        for job in workflow._workflow.dag.jobs:
            for name, value in job.params.items():
                found.setdefault(f"{job.rule.name}.{name}", set()).update(types_in(value))
    return {param: sorted(types) for param, types in found.items()}


if __name__ == "__main__":
    print(json.dumps(find_params(sys.argv[1])))
