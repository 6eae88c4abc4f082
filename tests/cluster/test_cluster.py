"""The workflow on a real SLURM: what is submitted, and what happens when jobs and nodes die.

`make test-cluster` runs the first test alone; all of them run in `make test-full`.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager, suppress

import pandas as pd
import pytest
from processes import alive, freeze_one, wait_until
from recording import trying
from slurm_project import ROOT, SIZES, drained, kill_node
from test_workflow import byte_stable
from workflow_project import SMOKE

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
BY_ITSELF = "by itself: attempts of the profile, saved states"


def small_requests(minutes=10, gpu=0):
    """Return requests that fit the test nodes; `gpu` is what each proxy asks for."""
    small = ["mem_mb=700", f"runtime={minutes}"]
    requests = [f"train_proxy:{part}" for part in (*small, f"gpu={gpu}")]
    requests += [f"train_confirmation:{part}" for part in ("mem_mb=700", "runtime=10", "gpu=0")]
    return ["--default-resources", "mem_mb=700", "runtime=10", "--set-resources", *requests]


@contextmanager
def running(project, *arguments, **options):
    """Run Snakemake, and stop it when the block ends, even after an error."""
    process = project.start(*arguments, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def requeued_start_now(project):
    """Start requeued jobs at once; by default SLURM holds them for two minutes."""
    for line in project.cluster.command("squeue", "-h", "-o", "%i %r").splitlines():
        job, _, reason = line.partition(" ")
        if "BeginTime" in reason:
            project.cluster.command(
                "scontrol", "update", f"job={job}", "starttime=now", check=False
            )


def finish(project, process, smoke, seconds=900):
    """Wait for success, and check that the bytes are those of an undisturbed run."""
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        assert time.monotonic() < deadline, project.log()[-6000:]
        requeued_start_now(project)
        time.sleep(2)
    assert process.returncode == 0, project.log()[-6000:]
    assert byte_stable(project.results) == byte_stable(smoke.results)


def test_a_cancelled_job_a_time_out_and_a_node_that_goes_down(project, smoke):
    """Three runs of a sweep have different faults; an expression gives one size a fake GPU."""
    cluster = project.cluster
    requests = small_requests(gpu="1 if wildcards.size == '2K' else 0")
    with (
        trying("`scancel` of a running job", BY_ITSELF),
        trying("a job reaches its time limit", BY_ITSELF),
        trying("a node loses power in mid-run, and returns", BY_ITSELF),
        running(project, *requests) as process,
    ):
        late = freeze_one(project, "3K")
        cluster.command("scontrol", "update", f"job={late.job}", "timelimit=1")
        kept = project.node_of(late.job)
        lost = freeze_one(project, "2K", where=lambda t: project.node_of(t.job) != kept)
        assert "gres/gpu" in cluster.command("scontrol", "show", "job", lost.job)
        cancelled = freeze_one(project, other_than=[late, lost])
        cluster.command("scancel", cancelled.job)
        wait_until(lambda: "'CANCELLED'" in project.log(), "the cancelled job noticed", 300)
        down = project.node_of(lost.job)
        kill_node(cluster, down)
        time.sleep(3)
        cluster.start_node(down)
        finish(project, process, smoke)
        assert "'TIMEOUT'" in project.log()


@pytest.fixture
def partial(project, smoke):
    """Return a working copy with an undisturbed run's results, without two runs of each size."""
    subprocess.run(["cp", "-a", f"{smoke.folder}/.", str(project.folder)], check=True)
    for size in SIZES:
        for mixture in ("mix-001", "uniform"):
            shutil.rmtree(project.results / "runs" / size / mixture)
    for name in ("losses.parquet", "report.html"):
        (project.results / name).unlink()
    return project


@pytest.mark.full
def test_a_node_is_drained_in_mid_run(partial, smoke):
    cluster = partial.cluster
    with (
        trying("a node is drained in mid-run", "its job ends there, others go elsewhere"),
        running(partial, *small_requests()) as process,
    ):
        held = freeze_one(partial)
        node = partial.node_of(held.job)
        cluster.set_state(node, "drain")
        time.sleep(5)
        held.go_on()
        finish(partial, process, smoke)
        cluster.set_state(node, "resume")


@pytest.mark.full
def test_the_controller_stops_and_returns(partial, smoke):
    """Jobs go on during 30 s without slurmctld, and Snakemake queries until it answers."""
    cluster = partial.cluster
    with (
        trying("slurmctld stops for half a minute", BY_ITSELF),
        running(partial, *small_requests()) as process,
    ):
        held = freeze_one(partial)
        cluster.stop("slurmctld")
        held.go_on()
        time.sleep(30)
        cluster.start_controller()
        finish(partial, process, smoke)


@pytest.mark.full
def test_a_job_is_requeued(partial, smoke):
    with (
        trying("`scontrol requeue` of a running job", BY_ITSELF),
        running(partial, *small_requests()) as process,
    ):
        held = freeze_one(partial)
        partial.cluster.command("scontrol", "requeue", held.job)
        finish(partial, process, smoke)
        assert "Trying to restart" not in partial.log()


@pytest.mark.full
def test_a_run_longer_than_its_job_ends_itself_and_goes_on(partial, smoke):
    """A run that takes longer than its time limit of a minute saves its state before the limit."""
    with (
        trying("a run longer than its job's time limit", BY_ITSELF),
        running(partial, *small_requests(minutes=1)) as process,
    ):
        held = freeze_one(partial)
        log = (
            partial.results
            / "logs"
            / "train_proxy"
            / held.folder.relative_to(partial.results / "checkpoints")
        )
        text = log.with_suffix(".log")
        first = held.step()
        assert "until the job's time limit" in text.read_text()
        while alive(held.pid) and "ended by signal 15" not in text.read_text():
            held.go_on()  # for a step or two
            time.sleep(0.02)
            with suppress(ProcessLookupError):
                held.stop()
            time.sleep(2)
        held.go_on()
        assert held.step() > first
        finish(partial, process, smoke)
        assert "'TIMEOUT'" not in partial.log()
        assert "Trying to restart" in partial.log()


@pytest.mark.full
def test_snakemake_is_killed_and_its_jobs_live_on(partial, smoke):
    """Jobs whose Snakemake was killed run to their end."""
    how = "`make resume`, once the orphans ended"
    with trying("SIGKILL of the Snakemake that submits", how):
        with running(partial, *small_requests()) as process:
            held = freeze_one(partial)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        held.go_on()
        drained(partial.cluster)
        partial.resume(*small_requests())
        assert byte_stable(partial.results) == byte_stable(smoke.results)


@pytest.mark.full
def test_a_target_on_two_processes_under_srun(project, smoke):
    """Two processes (DDP, gloo) halve the same batches, so losses are equal up to rounding."""
    subprocess.run(["cp", "-a", f"{smoke.folder}/.", str(project.folder)], check=True)
    config = project.folder / "two.yaml"
    config.write_text(
        (ROOT / SMOKE).read_text() + "  devices: 2\n  launcher: srun\n  strategy: ddp\n"
    )
    shutil.rmtree(project.results / "confirmation")
    file = "confirmation/uniform/seed-0/losses.csv"
    arguments = [*small_requests(), "--rerun-triggers", "mtime", "--", f"results/smoke/{file}"]
    with trying("two processes under srun (gloo), no fault", "losses of one process to 1e-4"):
        with running(project, *arguments, config="two.yaml") as process:
            assert project.end(process) == 0, project.log()[-6000:]
        two, one = (pd.read_csv(each.results / file) for each in (project, smoke))
        assert two["loss"].to_numpy() == pytest.approx(one["loss"].to_numpy(), rel=1e-4)
        assert two[["step", "tokens", "validation_domain"]].equals(
            one[["step", "tokens", "validation_domain"]]
        )
        records = [
            json.loads((each.results / file).with_name("run.json").read_text())
            for each in (project, smoke)
        ]
        assert records[0]["realised_tokens"] == records[1]["realised_tokens"]
        timing = json.loads((project.results / file).with_name("timing.json").read_text())
        assert timing["num_devices"] == 2


@pytest.mark.full
def test_a_sweep_of_200_jobs(project):
    """One call of sbatch per run, and a status query every few seconds at most."""
    cluster = project.cluster
    shutil.copy(ROOT / "tests/cluster/sweep.yaml", project.folder)
    cluster.command("sdiag", "--reset")
    with (
        trying("a sweep of 200 runs", "one submission per run, 100 at SLURM at a time"),
        running(
            project,
            *small_requests(),
            "--until",
            "collect_losses",
            config="sweep.yaml",
        ) as process,
    ):
        began = time.monotonic()
        assert project.end(process, 3600) == 0, project.log()[-6000:]
        minutes = (time.monotonic() - began) / 60
    runs = pd.read_csv(project.folder / "results" / "sweep" / "runs.csv")
    assert len(runs) == 200
    calls = dict(
        re.findall(
            r"(REQUEST_\w+|\w+_JOB_INFO\w*)\s+\(\s*\d+\) count:(\d+)", cluster.command("sdiag")
        )
    )
    print(f"{minutes:.1f} minutes, calls of the controller: {calls}")
    # Reading and tokenizing two domains takes fourteen jobs.
    assert int(calls["REQUEST_SUBMIT_BATCH_JOB"]) == 200 + 14
    assert sum(int(n) for name, n in calls.items() if "JOB_INFO" in name) <= 200 + 12 * minutes


@pytest.mark.full
def test_without_accounting_a_cancelled_job_is_noticed(partial, smoke):
    cluster = partial.cluster
    cluster.down()
    cluster.up(accounting=False)
    try:
        with (
            trying("`scancel` on a cluster without accounting", BY_ITSELF),
            running(partial, *small_requests()) as process,
        ):
            held = freeze_one(partial)
            cluster.command("scancel", held.job)
            finish(partial, process, smoke)
            assert "'CANCELLED'" in partial.log()
    finally:
        cluster.down()
        cluster.up()


@pytest.mark.full
def test_control_c_cancels_the_jobs(partial, smoke):
    with trying("Ctrl-C while jobs run", "`make resume`"):
        with running(partial, *small_requests()) as process:
            held = freeze_one(partial)
            os.kill(process.pid, signal.SIGINT)
            held.go_on()
            assert partial.end(process, 120) != 0
        drained(partial.cluster)
        partial.resume(*small_requests())
        assert byte_stable(partial.results) == byte_stable(smoke.results)
