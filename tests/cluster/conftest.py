"""The test cluster: started once for all its tests, and stopped by process ids."""

import contextlib
import os
import signal

import pytest
from slurm_project import SNAKEMAKE, drained, slurm_copy

from slurm import NODES, Cluster, default_folder


@pytest.fixture(scope="session")
def cluster():
    """Start a real SLURM with accounting, two nodes and fake GPUs."""
    assert SNAKEMAKE.exists(), "Snakemake with the SLURM plugin is missing: run make test-cluster"
    cluster = Cluster(default_folder())
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.down()


@pytest.fixture
def project(cluster, tmp_path):
    """Return a fresh working copy on an idle cluster whose nodes are all up."""
    project = slurm_copy(tmp_path / "project", cluster)
    yield project
    cluster.start_controller()
    cluster.command("scancel", "--user=root", check=False)
    for pid in cluster.job_processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for node in NODES:
        cluster.start_node(node)
    drained(cluster)
