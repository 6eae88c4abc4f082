"""A working copy of the project whose Snakemake submits to the test cluster."""

import contextlib
import os
import shlex
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from processes import wait_until
from workflow_project import SMOKE, Project, copy_project

from slurm import Cluster

ROOT = Path(__file__).parents[2]
SNAKEMAKE = ROOT / ".venv-cluster" / "bin" / "snakemake"
# Statuses are asked for every few seconds, not every minute: the tests' jobs are short.
FAST = ["--slurm-init-seconds-before-status-checks=3", "--latency-wait=20"]
SIZES = ["2K", "3K"]


@dataclass(frozen=True)
class SlurmProject(Project):
    """A working copy and the cluster that it runs on."""

    cluster: Cluster = field(kw_only=True)

    def command(self, *arguments, config=SMOKE):
        """Return the documented command, with more frequent status queries."""
        experiment = ["--configfile", config] if config else []
        return [str(SNAKEMAKE), "--profile", "slurm", *experiment, *FAST, *arguments]

    def environment(self):
        """Return the environment for the test cluster."""
        return self.cluster.environment() | {"OMP_NUM_THREADS": "1"}

    def start(self, *arguments, **options):
        """Start Snakemake in the background, with its output in run.log."""
        with open(self.folder / "run.log", "a") as log:
            return subprocess.Popen(
                self.command(*arguments, **options),
                cwd=self.folder,
                env=self.environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
                # What a shell starts in the background inherits that it ignores Ctrl-C.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def resume(self, *arguments):
        """Run the documented recovery."""
        _, *options = self.command(*arguments)
        command = ["make", "-s", "-f", str(ROOT / "Makefile"), "resume"]
        command += [f"BIN={SNAKEMAKE.parent}", f"ARGS={shlex.join(options)}"]
        subprocess.run(command, cwd=self.folder, env=self.environment(), check=True, timeout=900)

    def log(self):
        """Return what Snakemake printed so far."""
        return (self.folder / "run.log").read_text()

    def end(self, process, seconds=600):
        """Wait for Snakemake's end; return its status."""
        try:
            return process.wait(timeout=seconds)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

    def node_of(self, job):
        """Return the node that a job runs on."""
        return self.cluster.command("squeue", "-h", "-j", job, "-o", "%N").strip()


def slurm_copy(folder, cluster):
    """Return a working copy that submits to the cluster."""
    copied = copy_project(folder).folder
    (copied / "slurm").symlink_to("workflow/profiles/slurm")
    return SlurmProject(copied, cluster=cluster)


def steps_of(job):
    """Return the ids of SLURM's processes that run a job's steps."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().startswith(f"slurmstepd: [{job}.".encode()):
                found.append(int(path.parent.name))
    return found


def kill_node(cluster, node):
    """Kill slurmd and all its job steps on a node, as a power failure does.

    It gets no new job, and its last one has arrived: one that is sent to a dead node is started
    twice when the node returns in seconds, and SLURM then holds it until an operator releases it.
    """
    cluster.set_state(node, "drain")

    def jobs():
        return cluster.command("squeue", "-h", "-t", "R", "-w", node, "-o", "%A").split()

    wait_until(lambda: all(map(steps_of, jobs())), "every job's step on the node", 120, 0.1)
    steps = [pid for job in jobs() for pid in steps_of(job)]
    cluster.stop(f"slurmd-{node}", signal.SIGKILL)
    for pid in [*steps, *cluster.job_processes(node)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    cluster.set_state(node, "down")
    cluster.set_state(node, "undrain")


def drained(cluster):
    """Wait until no job is left."""
    wait_until(lambda: not cluster.command("squeue", "-h").strip(), "an empty queue", 60, 0.5)
