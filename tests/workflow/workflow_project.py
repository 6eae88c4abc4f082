"""A working copy of the project, and how to call Snakemake in it."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SMOKE = "tests/workflow/smoke.yaml"
PARTS = ["Snakefile", "config.yaml", "mixlaws", "workflow", "envs", "experiments", "tests/workflow"]


@dataclass(frozen=True)
class Project:
    """A working copy of the project and how to call Snakemake in it."""

    folder: Path
    corpora: str = "corpora"
    """Where experiments find outside text; inside the folder unless a test says otherwise."""

    def snakemake(self, *arguments, config=SMOKE, check=True, timeout=900, before=()):
        """Run Snakemake and return its output. The arguments in `before` come before the others."""
        result = subprocess.run(
            self.command(*before, *arguments, config=config),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        output = result.stdout + result.stderr
        assert not check or result.returncode == 0, output[-6000:]
        return output

    def command(self, *arguments, config=SMOKE):
        experiment = ["--configfile", config] if config else []
        return [sys.executable, "-m", "snakemake", "--cores", "2", *experiment, *arguments]

    def environment(self):
        return os.environ | {"OMP_NUM_THREADS": "1", "MIXLAWS_CORPORA": self.corpora}

    def planned(self, *arguments):
        """Return the number of jobs by rule that a dry run plans."""
        lines = self.snakemake("--dry-run", "--quiet", "host", *arguments).splitlines()
        starts = [i for i, line in enumerate(lines) if line.startswith("job") and "count" in line]
        counts = {}
        for line in lines[starts[0] + 2 :] if starts else []:
            if not line.strip():
                break
            rule, count = line.split()
            counts[rule] = int(count)
        counts.pop("total", None)
        return counts

    @property
    def results(self):
        return self.folder / "results" / "smoke"


def copy_project(folder):
    """Copy what a run needs, the compiled modules included."""
    for part in PARTS:
        source, copy = ROOT / part, folder / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy)
        else:
            shutil.copy(source, copy)
    return Project(folder)
