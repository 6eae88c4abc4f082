"""After SIGKILL at a random moment of any stage, the documented recovery gives the same bytes.

Eight cases in CI, fifty in `make test-full`. Each takes up an undisturbed run's results without the
outputs of one stage, is killed somewhere in that stage, and is resumed with `make resume`.
"""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from processes import alive, scripts_in, trainings, wait_until
from recording import trying
from test_workflow import byte_stable
from workflow_project import SMOKE, Project

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
# A missing file between others is made again only if something after it is missing as well.
COLLECTED = ["losses.parquet", "report.html"]
# What is deleted, and what Snakemake prints (or a training has saved) when the stage begins.
STAGES = {
    "planning": (["report.html"], "Building DAG of jobs"),
    "scheduling": (["laws", "report.html"], "Select jobs to execute"),
    "tokenizing": (["tokens", "accounting.csv"], r"rule tokenize\w*:"),
    "training": (["runs/2K/mix-001", "runs/3K/uniform", *COLLECTED], None),
    "collecting": (COLLECTED, r"rule collect_losses:"),
    "fitting": (["laws", "report.html"], r"rule (score_laws|fit_laws|find_optimum):"),
    "reporting": (["figures", "report.html"], r"rule (draw_figures|write_report):"),
}
# New token files would train every run again; accounting.csv has the sha256 of each.
# (The flag in between ends --configfile's list.)
ARGUMENTS = {"tokenizing": ["--keep-going", "results/smoke/accounting.csv"]}
# The longest that a kill waits after a stage's beginning: about what the stage takes.
SECONDS = {"planning": 0.5, "scheduling": 1.0, "tokenizing": 4.0, "training": 1.0}
MODES = {
    "everything": "SIGKILL of the process group",
    "parent": "SIGKILL of Snakemake alone, its job goes on as an orphan",
    "job": "SIGKILL of a job's process",
}
CI = [
    ("planning", "everything"),
    ("scheduling", "parent"),
    ("tokenizing", "job"),
    ("training", "everything"),
    ("training", "parent"),
    ("collecting", "everything"),
    ("fitting", "job"),
    ("reporting", "parent"),
]
# While planning nothing runs but Snakemake itself.
ALL = [(s, m) for s in STAGES for m in MODES if s != "planning" or m == "everything"]
CASES = [(*case, seed) for seed, case in enumerate(CI)]
CASES += [(*ALL[seed % len(ALL)], seed) for seed in range(8, 50)]
MARKED = [pytest.param(*case, marks=[pytest.mark.full] * (case[2] >= 8)) for case in CASES]


def start(project, arguments):
    """Start Snakemake in a group of its own; what it prints goes to run.log."""
    with open(project.folder / "run.log", "w") as log:
        return subprocess.Popen(
            project.command(*arguments),
            cwd=project.folder,
            env=project.environment(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def kill(project, process, mode, draw):
    """Kill by `mode`, or everything if no job runs; return what was killed, or None."""
    scripts = scripts_in(project.folder)
    if process.poll() is not None:
        return None
    hit = mode if scripts else "everything"
    with contextlib.suppress(ProcessLookupError):
        if hit == "job":
            os.kill(draw.choice(scripts), signal.SIGKILL)
        elif hit == "parent":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=300)
    return hit


def strike(project, stage, mode, draw):
    """Run until a stage has begun, then kill at a random moment; return what was killed."""
    deleted, begins = STAGES[stage]
    longest = SECONDS.get(stage, 3.0)
    for _ in range(5):
        for name in deleted:
            path = project.results / name
            if path.exists():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        process = start(project, ARGUMENTS.get(stage, []))

        def has_begun(process=process):
            if process.poll() is not None:
                return True
            if begins is None:
                return trainings(project)
            return re.search(begins, (project.folder / "run.log").read_text())

        wait_until(has_begun, f"the stage {stage}")
        time.sleep(draw.uniform(0, longest))
        if hit := kill(project, process, mode, draw):
            return hit
        longest /= 3  # it had ended: sooner, then
    raise AssertionError(f"{stage} always ended before it could be killed")


def resume(project, arguments=(), attempts=3):
    """Run the documented recovery, again once an orphan has ended; return the attempts it took."""
    command = ["make", "-s", "-f", str(ROOT / "Makefile"), "resume", f"BIN={ROOT}/.venv/bin"]
    command += ["CORES=2", f"ARGS={' '.join(['--configfile', SMOKE, *arguments])}"]
    for attempt in range(1, attempts + 1):
        result = subprocess.run(
            command,
            cwd=project.folder,
            env=project.environment(),
            capture_output=True,
            text=True,
            timeout=600,
        )
        orphans = scripts_in(project.folder)
        wait_until(lambda pids=orphans: not any(map(alive, pids)), "the orphans' end")
        if result.returncode == 0:
            return attempt
    raise AssertionError(result.stdout[-3000:] + result.stderr[-6000:])


@pytest.mark.parametrize(("stage", "mode", "seed"), MARKED)
def test_a_kill_at_any_moment_changes_no_byte(smoke, tmp_path, stage, mode, seed):
    project = Project(tmp_path / "project")
    subprocess.run(["cp", "-a", str(smoke.folder), str(project.folder)], check=True)
    draw = random.Random(seed)
    with trying(f"{MODES[mode]}, while {stage}", "`make resume`") as record:
        hit = strike(project, stage, mode, draw)
        record["fault"] = f"{MODES[hit]}, while {stage}"
        resume(project, ARGUMENTS.get(stage, []))
        assert byte_stable(project.results) == byte_stable(smoke.results)
