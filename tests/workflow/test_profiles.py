"""The SLURM profiles: found from the root, alike, and about rules that exist."""

from pathlib import Path

import yaml

from mixlaws.runs.shapes import NAMED_SHAPES

ROOT = Path(__file__).parents[2]


def profile(name):
    return yaml.safe_load((ROOT / name / "config.yaml").read_text())


def test_the_root_leads_to_the_profiles():
    for name in ("slurm", "slurm-no-accounting"):
        assert (ROOT / name).readlink() == Path("workflow/profiles") / name
        assert profile(name)["executor"] == "slurm"
    # Snakemake would merge it into every run, over --profile.
    assert not (ROOT / "profiles").exists()
    assert not (ROOT / "workflow" / "profiles" / "default").exists()


def test_without_accounting_only_the_status_is_asked_for_differently():
    own = {"slurm-init-seconds-before-status-checks": 10}
    assert profile("slurm-no-accounting") == profile("slurm") | own


def test_what_was_measured_to_hang_is_not_set():
    settings = profile("slurm")
    assert settings["slurm-status-command"] == "squeue"
    assert settings["jobs"] == "unlimited"
    assert settings["max-jobs-per-timespan"] == "100000/1s"
    assert settings["slurm-array-limit"] * 4_000 < 128 * 1024
    assert settings["slurm-status-attempts"] * settings["max-status-checks-per-second"] >= 50
    assert settings["retries"] >= 7  # 30 hours on a partition of 4


def test_every_array_has_a_request_of_its_own():
    settings = profile("slurm")
    arrays = settings["slurm-array-jobs"].split(",")
    assert set(arrays) <= set(settings["set-resources"])
    for name in ("redpajama", "own_text"):
        sizes = yaml.safe_load((ROOT / "experiments" / f"{name}.yaml").read_text())["training"]
        assert {f"train_proxy_{size}" for size in sizes["sizes"]} <= set(arrays)
    assert {f"train_proxy_{size}" for size in NAMED_SHAPES} == set(arrays)
    assert all(settings["set-resources"][rule]["gpu"] == 1 for rule in arrays)
    assert "train_confirmation" not in arrays  # it may run on several GPUs


def test_a_run_on_several_processes_is_told_to_the_cluster(fresh):
    config = (ROOT / "tests/workflow/smoke.yaml").read_text()
    more = "\n  devices: 4\n  num_nodes: 2\n  launcher: srun\n  strategy: ddp\n"
    (fresh.folder / "more.yaml").write_text(config.rstrip() + more)
    target = "results/smoke/confirmation/uniform/seed-0/losses.csv"
    planned = fresh.snakemake("--dry-run", target, config="more.yaml")
    (line,) = [
        block.split("resources:")[1].splitlines()[0]
        for block in planned.split("rule ")
        if block.startswith("train_confirmation:")
    ]
    assert all(part in line for part in ("mpi=srun", "tasks=8", "nodes=2", "tasks_per_gpu=1"))
