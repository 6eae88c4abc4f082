"""Full and read-only disks, wrong clocks, two Snakemakes at once, damaged files."""

import os
import random
import shutil
import subprocess
import time
from contextlib import contextmanager

import pytest
from processes import freeze_one
from recording import trying
from test_kills import COLLECTED, resume, start
from test_workflow import byte_stable
from workflow_project import Project

pytestmark = pytest.mark.slow
RESUME = "`make resume`"
NAMED = "stops and names the file; deleted as told, then `make resume`"
RUN = "runs/2K/mix-001/seed-0"


@pytest.fixture
def project(smoke, tmp_path):
    """Return a copy of the undisturbed run's folder."""
    subprocess.run(["cp", "-a", str(smoke.folder), str(tmp_path / "project")], check=True)
    return Project(tmp_path / "project")


def forget(project, *names):
    """Delete outputs and all that must be missing after them for Snakemake to make them again."""
    for name in {*names, *COLLECTED}:
        path = project.results / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def logs(project):
    """Return what the rules' logs say."""
    return "".join(path.read_text() for path in project.results.glob("logs/**/*.log"))


@contextmanager
def mounted(folder, *options):
    """Mount something over a folder, and unmount it at the end."""
    subprocess.run(["mount", *options, str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk(project, smoke):
    results = project.folder / "results"
    aside = results.rename(project.folder / "aside")
    results.mkdir()
    with (
        trying("the disk is full while runs train", RESUME),
        mounted(results, "-t", "tmpfs", "-o", "size=64m", "tmpfs"),
    ):
        subprocess.run(["cp", "-a", f"{aside}/.", str(results)], check=True)
        forget(project, RUN, "runs/3K/uniform")
        filler = results / "filler"
        room = shutil.disk_usage(results).free
        filler.write_bytes(bytes(max(0, room - 16_384)))
        output = project.snakemake(check=False)
        assert "No space left on device" in output + logs(project)
        assert not (project.results / "report.html").exists() or "Error in rule" in output
        filler.unlink()
        resume(project)
        assert byte_stable(project.results) == byte_stable(smoke.results)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a disk read-only")
def test_read_only_results(project, smoke):
    results = project.folder / "results"
    forget(project, RUN)
    with trying("results are read-only", RESUME):
        with mounted(results, "--bind", str(results)):
            subprocess.run(["mount", "-o", "remount,bind,ro", str(results)], check=True)
            output = project.snakemake(check=False)
            assert "Write-protected output files for rule" in output  # before any work
        resume(project)
        assert byte_stable(project.results) == byte_stable(smoke.results)


def stamp(project, days):
    """Set the times of runs as if a clock were wrong by some days."""
    moved = time.time() + days * 86_400
    paths = sorted(project.results.glob("runs/2K/*/seed-0/*"))
    assert paths
    for path in paths:
        os.utime(path, (moved, moved))
    forget(project, RUN)


def test_files_from_a_clock_behind(project, smoke):
    with trying("a clock two days behind stamped some runs", RESUME):
        stamp(project, -2)
        resume(project)
        assert byte_stable(project.results) == byte_stable(smoke.results)


def test_files_from_a_clock_ahead(project, smoke):
    """Snakemake rejects results that are older than their inputs."""
    with trying("a clock two days ahead stamped some runs", "named; `touch`ed, then `make resume`"):
        stamp(project, 2)
        output = project.snakemake("--rerun-incomplete", check=False)
        assert "has older modification time" in output
        for path in project.results.rglob("*"):
            if path.stat().st_mtime > time.time():
                os.utime(path)
        resume(project)
        assert byte_stable(project.results) == byte_stable(smoke.results)


def test_two_snakemakes_at_once(project, smoke):
    forget(project, RUN, "runs/3K/uniform")
    with trying("a second Snakemake on the same results", "the second one is refused"):
        first = start(project, [])
        training = freeze_one(project)
        locked = "Directory cannot be locked"
        second = project.snakemake(check=False)
        # Whether the frozen run had begun its outputs decides which of the two is found first.
        assert "seem to be incomplete" in second or locked in second
        assert locked in project.snakemake("--rerun-incomplete", check=False)
        training.go_on()
        assert first.wait(timeout=300) == 0
        assert byte_stable(project.results) == byte_stable(smoke.results)


def test_two_snakemakes_at_once_without_its_lock(project, smoke):
    """The runs have their own locks, in case a user starts Snakemake with `--nolock`."""
    forget(project, RUN)
    with trying("the same with `--nolock`", "the run's own lock, then `make resume`"):
        first = start(project, [])
        training = freeze_one(project)
        project.snakemake(
            "--nolock",
            "--forcerun",
            "train_proxy",
            "--until",
            "train_proxy",
            "--rerun-incomplete",
            f"results/smoke/{RUN}/losses.csv",
            check=False,
        )
        assert f"Process {training.pid} on" in logs(project)
        training.go_on()
        first.wait(timeout=300)
        resume(project)
        assert byte_stable(project.results) == byte_stable(smoke.results)


def damage(path, how, draw):
    """Flip one bit of a file, or truncate it, and keep its modification time."""
    times = path.stat()
    content = bytearray(path.read_bytes())
    if how == "flipped bit":
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    else:
        del content[draw.randrange(len(content)) :]
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    "how", ["flipped bit", pytest.param("half-written", marks=pytest.mark.full)]
)
def test_a_damaged_token_file(project, smoke, how):
    path = project.results / "tokens" / "docs" / "train.bin"
    with trying(f"token file: {how}", NAMED):
        damage(path, how, random.Random(how))
        forget(project, RUN)
        output = project.snakemake(check=False) + logs(project)
        assert "tokens/docs/train.bin " in output
        assert "Delete both and rerun" in output
        assert not (project.results / RUN / "losses.csv").exists()
        shutil.rmtree(path.parent)
        resume(project)  # trains every run again: their input is newer
        assert byte_stable(project.results) == byte_stable(smoke.results)


@pytest.mark.parametrize("how", ["flipped bit", "half-written"])
def test_a_damaged_losses_file(project, smoke, how):
    path = project.results / RUN / "losses.csv"
    with trying(f"losses.csv: {how}", NAMED):
        damage(path, how, random.Random(how))
        forget(project)
        output = project.snakemake(check=False) + logs(project)
        assert "1 loss files changed after their runs" in output
        assert f"{RUN}/losses.csv. Delete the folders of these runs" in output
        forget(project, RUN)
        resume(project)
        assert byte_stable(project.results) == byte_stable(smoke.results)


@pytest.mark.parametrize("how", ["flipped bit", "half-written"])
def test_a_damaged_table_of_losses(project, smoke, how):
    path = project.results / "losses.parquet"
    with trying(f"losses.parquet: {how}", NAMED):
        damage(path, how, random.Random(how))
        shutil.rmtree(project.results / "laws")
        (project.results / "report.html").unlink()
        output = project.snakemake(check=False) + logs(project)
        assert "losses.parquet is corrupt" in output
        path.unlink()
        resume(project)
        assert byte_stable(project.results) == byte_stable(smoke.results)


@pytest.mark.parametrize("how", ["flipped bit", "half-written"])
def test_a_damaged_state_of_a_run(project, smoke, how):
    """The run continues from the state before a corrupt one."""
    forget(project, RUN)
    with trying(f"saved state of a run: {how}", "named and passed over; the one before it serves"):
        process = start(project, [])
        training = freeze_one(project)
        while training.step() < 2:  # two states are kept
            training.go_on()
            time.sleep(0.01)
            training.stop()
        process.kill()
        os.kill(training.pid, 9)
        process.wait()
        newest = training.folder / f"step-{training.step():09d}.ckpt"
        damage(newest, how, random.Random(how))
        resume(project)
        assert f"skipping a damaged state: {newest.relative_to(project.folder)}" in logs(project)
        assert byte_stable(project.results) == byte_stable(smoke.results)
