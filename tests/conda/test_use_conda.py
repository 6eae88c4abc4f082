"""`--use-conda`: Snakemake's whole path, with a real conda where there is one, or a stand-in.

With the stand-in this proves that each file's names and pins install together, that every rule runs
in its environment and misses nothing there, and that the results are those of the plain command. It
does not prove that conda-forge solves the files.
"""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_environments import rules
from test_workflow import byte_stable
from workflow_project import Project

ROOT = Path(__file__).parents[2]
STANDIN = ROOT / "tests" / "conda" / "standin" / "bin"
ENVIRONMENTS = ["analysis.yaml", "train.yaml"]


class CondaProject(Project):
    """A working copy whose Snakemake finds a conda."""

    def environment(self):
        """Put the stand-in behind every conda, and this Python, which it runs on, before others."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:{STANDIN}"
        return super().environment() | {"PATH": path}


# Or Snakemake would run everything again: what it ran without conda had another environment.
MTIME = ["--use-conda", "--rerun-triggers", "mtime"]


@pytest.fixture(scope="module")
def project(smoke, tmp_path_factory):
    """Create both environments; account, train one proxy, and do everything after it, in them."""
    project = CondaProject(tmp_path_factory.mktemp("conda"))
    subprocess.run(["cp", "-a", f"{smoke.folder}/.", str(project.folder)], check=True)
    for name in ("accounting.csv", "losses.parquet", "report.html"):
        (project.results / name).unlink()
    shutil.rmtree(project.results / "runs" / "2K" / "uniform")
    done = project.snakemake(*MTIME, timeout=1800)
    for rule in ("account_tokens", "train_proxy", "find_optimum", "write_report"):
        assert f"rule {rule}:" in done
    return project


def environment_of(project, name):
    """Return the folder of the environment that was made from a file."""
    made = project.folder / ".snakemake" / "conda"
    content = (ROOT / "envs" / name).read_text()
    (copy,) = [path for path in made.glob("*.yaml") if path.read_text() == content]
    return copy.with_suffix("")


@pytest.mark.slow
def test_one_environment_per_file_made_once(project):
    listed = project.snakemake("--use-conda", "--list-conda-envs")
    assert all(f"envs/{name}" in listed for name in ENVIRONMENTS)
    assert len(list((project.folder / ".snakemake" / "conda").glob("*.yaml"))) == 2
    again = project.snakemake(*MTIME)
    assert "Creating conda environment" not in again
    assert "Nothing to be done" in again


@pytest.mark.slow
def test_the_results_are_those_of_the_plain_command(project, smoke):
    assert byte_stable(project.results) == byte_stable(smoke.results)


@pytest.mark.slow
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_import_of_its_rules_works_in_the_environment_alone(project, name):
    """In a rule, Snakemake's packages are also on the path; here they are not."""
    code = ["import sys", f"sys.path.append({str(ROOT)!r})"]
    for script, environment in sorted(set(rules())):
        if environment == name:
            tree = ast.parse((ROOT / "workflow" / "scripts" / script).read_text())
            code += [ast.unparse(node) for node in tree.body if isinstance(node, ast.ImportFrom)]
    python = environment_of(project, name) / "bin" / "python"
    result = subprocess.run(
        [python, "-I", "-c", "\n".join(code)], capture_output=True, text=True, cwd="/"
    )
    assert result.returncode == 0, result.stderr
    found = subprocess.run(
        [python, "-I", "-c", "import snakemake"], capture_output=True, text=True, cwd="/"
    )
    assert "No module named 'snakemake'" in found.stderr


def test_without_a_conda_snakemake_says_so(fresh):
    """Without conda, --use-conda ends with a message of Snakemake."""
    if shutil.which("conda"):
        fresh = CondaProject(fresh.folder)
        assert "conda environment" in fresh.snakemake("--use-conda", "--dry-run")
    else:
        output = fresh.snakemake("--use-conda", "--dry-run", check=False)
        assert "Is conda installed and accessible?" in output
