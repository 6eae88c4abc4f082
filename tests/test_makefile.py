"""`make demo` on a bare machine: what is missing is said in one line; the answer comes last."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def clone(tmp_path):
    """Return a clone whose packages are not installed."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(folder, *arguments, **environment):
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=plain(folder) | environment,
        capture_output=True,
        text=True,
    )


def plain(folder):
    """Return an environment without the variables of a make that runs these tests."""
    return {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)}


def what_is_missing(found):
    """Return what a failed make says, without make's own line."""
    assert found.returncode != 0
    return [line for line in found.stderr.splitlines() if not line.startswith("make: ***")]


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_without_python_it_says_so_in_one_line(clone):
    assert what_is_missing(make(clone, "demo", "PYTHON=python9")) == [
        "There is no python9. Install Python 3.11 to 3.13, or name it: make PYTHON=python3.12"
    ]


def test_a_path_with_a_space_is_refused_in_one_line(clone):
    folder = clone / "mix laws"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(clone / name, folder)
    assert what_is_missing(make(folder, "demo", f"PYTHON={sys.executable}")) == [
        f"Snakemake cannot start Python from a path with a space. Move {folder}"
    ]


def test_another_version_is_refused_in_one_line(clone):
    code = "import sys; sys.version_info = (3, 9, 2); exec(sys.argv.pop())"
    python = script(clone / "python", f'shift; exec {sys.executable} -c "{code}" "$@"')
    assert what_is_missing(make(clone, "demo", f"PYTHON={python}")) == [
        "Python must be 3.11 to 3.13, found 3.9: run make PYTHON=python3.12"
    ]


def test_without_the_venv_module_it_says_so_in_one_line(clone):
    """Debian's python3 comes without ensurepip; so does one whose ensurepip cannot be imported."""
    hidden = clone / "hidden"
    hidden.mkdir()
    (hidden / "ensurepip.py").write_text("raise ImportError\n")
    found = make(clone, "demo", f"PYTHON={sys.executable}", PYTHONPATH=str(hidden))
    assert what_is_missing(found) == [
        f"{sys.executable} has no venv with pip. On Debian and Ubuntu: apt install python3-venv"
    ]
    assert not (clone / ".venv").exists()


def test_without_a_package_index_the_last_line_says_what_it_needs(clone):
    environment = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    environment |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
    found = make(clone, "demo", f"PYTHON={sys.executable}", **environment)
    assert what_is_missing(found)[-1] == (
        "The installation failed: pip says why above. It needs a package index (PIP_INDEX_URL) "
        "and 2 GB of disk"
    )
    assert not (clone / ".venv" / ".installed").exists()


@pytest.fixture
def installed(clone):
    """Return a clone with an environment whose commands print their arguments."""
    for name in ("snakemake", "mixlaws"):
        script(clone / ".venv/bin" / name, f'echo {name} "$@"')
    script(clone / ".venv/bin/python", f'exec {sys.executable} "$@"')
    (clone / ".venv/.installed").touch()
    return clone


def test_without_a_terminal_the_log_is_plain_and_quiet(installed):
    found = make(installed, "demo", "CORES=3")
    assert found.stdout.splitlines() == [
        "snakemake --quiet rules host --cores 3 --no-hooks",
        "mixlaws show",
    ]


@pytest.mark.parametrize(
    ("home", "cache"), [("/proc", ".snakemake/cache"), (None, ".snakemake/cache"), (".", "")]
)
def test_a_read_only_home_has_its_cache_in_the_project(installed, home, cache):
    script(installed / ".venv/bin/mixlaws", 'echo "$XDG_CACHE_HOME"')
    environment = {"PATH": os.environ["PATH"]} | ({"HOME": home} if home else {})
    command = ["make", "demo"]
    found = subprocess.run(command, cwd=installed, env=environment, capture_output=True, text=True)
    assert found.stdout.splitlines()[-1] == (f"{installed}/{cache}" if cache else "")


def test_in_a_terminal_there_are_bars(installed):
    found = in_terminal("make demo", installed)
    assert found.splitlines() == [
        "snakemake --logger rich --show-failed-logs --cores all --no-hooks",
        "mixlaws show",
    ]


def test_in_a_terminal_without_the_plugin_the_log_is_plain(installed):
    (installed / "snakemake_logger_plugin_rich.py").write_text("raise ImportError\n")
    found = in_terminal(f"PYTHONPATH={installed} make demo", installed)
    assert found.splitlines()[0] == "snakemake --quiet rules host --cores all --no-hooks"


def in_terminal(command, folder):
    """Run a command in a pseudo-terminal and return what it shows."""
    found = subprocess.run(
        ["script", "--quiet", "--return", "--command", command, os.devnull],
        cwd=folder,
        env=plain(folder),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert found.returncode == 0, found.stdout
    return found.stdout


def test_resume_unlocks_and_takes_a_target_and_an_experiment(installed):
    found = make(installed, "resume", "ARGS=TARGET --configfile experiments/mine.yaml")
    assert found.stdout.splitlines()[-2:] == [
        "snakemake --quiet all --unlock TARGET --configfile experiments/mine.yaml",
        "snakemake --quiet rules host --cores all --rerun-incomplete TARGET "
        "--configfile experiments/mine.yaml",
    ]
