"""The SLURM profile is found from the root, names existing rules, and its comments are right."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "tests/workflow/smoke.yaml"
PROFILE = ROOT / "slurm" / "config.yaml"


def profile():
    return yaml.safe_load(PROFILE.read_text())


def requests(fresh, target, *arguments, config):
    """Return the resources of the only planned job that makes a file, by name."""
    planned = fresh.snakemake("--dry-run", target, *arguments, config=config)
    (line,) = [
        block.split("resources:")[1].splitlines()[0]
        for block in re.split(r"\n(?:rule|checkpoint) ", planned)
        if target in block.partition("output:")[2].partition("\n")[0]
    ]
    return dict(part.split("=", 1) for part in line.strip().split(", "))


def changed_config(fresh, *changes, more=""):
    """Write the smoke experiment with changes; return the file's name."""
    text = SMOKE.read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (fresh.folder / "changed.yaml").write_text(text.rstrip() + "\n" + more)
    return "changed.yaml"


def losses(size):
    return f"results/smoke/runs/{size}/uniform/seed-0/losses.csv"


def test_the_root_leads_to_the_profile():
    assert (ROOT / "slurm").readlink() == Path("workflow/profiles/slurm")
    assert profile()["executor"] == "slurm"
    # Snakemake would merge it into every run, over --profile.
    assert not (ROOT / "profiles").exists()
    assert not (ROOT / "workflow" / "profiles" / "default").exists()


def test_what_was_measured_to_hang_is_not_set():
    settings = profile()
    assert settings["slurm-status-command"] == "squeue"
    assert settings["slurm-init-seconds-before-status-checks"] <= 40
    assert not [key for key in settings if "array" in key]
    assert settings["slurm-status-attempts"] * settings["max-status-checks-per-second"] >= 50
    assert settings["retries"] >= 7  # 30 hours on a partition of 4


def test_a_size_of_ones_own_gets_its_request_from_its_parameters(fresh):
    """Without an entry in the profile, it requests a GPU, and memory that grows with the size."""
    large = ("3K: {num_layers: 1, model_width: 16,", "3K: {num_layers: 24, model_width: 1024,")
    config = changed_config(fresh, large)
    small, other = (requests(fresh, losses(size), config=config) for size in ("2K", "3K"))
    assert small["gpu"] == other["gpu"] == "1"
    assert int(other["mem_mb"]) - int(small["mem_mb"]) == pytest.approx(20 * 302, rel=0.01)
    assert int(small["runtime"]) < int(other["runtime"])


def test_a_run_on_the_cpu_asks_for_no_gpu(fresh):
    config = changed_config(fresh, ("training:\n", "training:\n  accelerator: cpu\n"))
    assert requests(fresh, losses("2K"), config=config)["gpu"] == "0"


def test_the_profiles_comments_work_when_they_are_taken_in(fresh):
    """Partition and GPU model may depend on the size."""
    text = PROFILE.read_text()
    lines = text.splitlines()
    start = lines.index("  # train_proxy:")
    taken = [re.sub("^  # ", "  ", line) for line in lines[start : start + 7]]
    settings = yaml.safe_load("\n".join(["set-resources:", *taken]))
    assert set(settings["set-resources"]) == {"train_proxy", "train_confirmation"}
    folder = fresh.folder / "taken"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    config = changed_config(fresh, ("3K", "1B"))
    small, large = (
        requests(fresh, losses(size), "--profile", "taken", config=config) for size in ("2K", "1B")
    )
    assert (small["slurm_partition"], small["gpu_model"]) == ("gpu", "a100")
    assert (large["slurm_partition"], large["gpu_model"]) == ("gpu-long", "h100")
    assert small["runtime"] == "1440"
    target = "results/smoke/confirmation/uniform/seed-0/losses.csv"
    confirmed = requests(fresh, target, "--profile", "taken", config=config)
    assert (confirmed["slurm_partition"], confirmed["gpu_model"]) == ("gpu-long", "h100")


def test_a_run_on_several_processes_is_told_to_the_cluster(fresh):
    several = "  devices: 4\n  num_nodes: 2\n  launcher: srun\n  strategy: ddp\n"
    config = changed_config(fresh, more=several)
    target = "results/smoke/confirmation/uniform/seed-0/losses.csv"
    asked = requests(fresh, target, config=config)
    wanted = {"mpi": "srun", "tasks": "8", "nodes": "2", "tasks_per_gpu": "1", "gpu": "8"}
    assert wanted.items() <= asked.items()
    assert "mpi" not in requests(fresh, losses("2K"), config=config)
