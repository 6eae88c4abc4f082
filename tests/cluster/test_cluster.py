"""The workflow on a real SLURM: what is submitted, and what happens when jobs and nodes die.

`make test-cluster` runs the first test alone; all of them run in `make test-full`.
"""

import os
import signal
import time
from contextlib import contextmanager

import pytest
from processes import alive, freeze_one, wait_until
from recording import trying
from slurm_project import kill_node
from test_workflow import byte_stable

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
GPU = "gpu=1"
BY_ITSELF = "by itself: attempts of the profile, saved states"


def small_requests(**runtimes):
    """Return requests that fit the test nodes: minutes by size, and a fake GPU for one of them."""
    requests = []
    for size in ("2K", "3K"):
        requests += [f"train_proxy_{size}:mem_mb=700", f"train_proxy_{size}:runtime=10"]
    requests += ["train_confirmation:mem_mb=700", "train_confirmation:gpu=0"]
    requests += [f"{rule}:runtime={minutes}" for rule, minutes in runtimes.items()]
    return ["--default-resources", "mem_mb=700", "runtime=10", "--set-resources", *requests]


@contextmanager
def running(project, *arguments, **options):
    """Run Snakemake; whatever happens, leave none behind."""
    process = project.start(*arguments, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def finish(project, process, smoke):
    """Wait for a successful end with the bytes of the undisturbed run."""
    assert project.end(process) == 0, project.log()[-6000:]
    assert byte_stable(project.results) == byte_stable(smoke.results)


def test_a_cancelled_job_a_time_out_and_a_node_that_goes_down(project, smoke):
    """Three faults strike three runs of one sweep: arrays, one of the sizes on a fake GPU."""
    cluster = project.cluster
    requests = small_requests(train_proxy_3K=1)
    with (
        trying("`scancel` of a running job", BY_ITSELF),
        trying("a job reaches its time limit", BY_ITSELF),
        trying("a node loses power in mid-run, and returns", BY_ITSELF),
        running(project, *requests, f"train_proxy_2K:{GPU}") as process,
    ):
        late = freeze_one(project, "3K")
        lost = freeze_one(project, other_than=[late])
        cancelled = freeze_one(project, other_than=[late, lost])
        cluster.command("scancel", cancelled.job)
        wait_until(lambda: "'CANCELLED'" in project.log(), "the cancelled job noticed", 120)
        down = project.node_of(lost.job)
        kill_node(cluster, down)
        cluster.command("scontrol", "update", f"nodename={down}", "state=down", "reason=test")
        time.sleep(3)
        cluster.start_node(down)
        if alive(late.pid):
            wait_until(lambda: "'TIMEOUT'" in project.log(), "the time-out noticed", 240)
        assert "Submitted array job" in project.log()
        finish(project, process, smoke)
