"""The wheel works without this repository: its content, its dependencies, its command."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from own_tables import grid_mixtures, grid_table, write

ROOT = Path(__file__).parents[1]
PARTS = ["pyproject.toml", "README.md", "LICENSE", "mixlaws"]


def run(*command, **options):
    found = subprocess.run(command, capture_output=True, text=True, **options)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy: setuptools leaves a build folder beside the source."""
    folder = tmp_path_factory.mktemp("wheel")
    for part in PARTS:
        source, copy = ROOT / part, folder / "source" / part
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    run(*build, "--wheel-dir", folder, folder / "source")
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel):
    """Install the wheel into a folder of its own; return the folder."""
    folder = wheel.parent / "installed"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "install", "--no-deps", "--no-index", "--target", folder, wheel)
    return folder


def in_wheel(installed, *command):
    """Run Python with the installed package first on its path, away from the repository."""
    environment = {"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    return run(sys.executable, *command, cwd=installed.parent, env=environment)


def test_the_wheel_holds_every_module_and_data_file(wheel):
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("mixlaws/")}
    kinds = ("*.py", "*.j2", "*.schema.*", "*.js", "*.css")
    for kind in kinds:
        here = {p.relative_to(ROOT).as_posix() for p in (ROOT / "mixlaws").rglob(kind)}
        assert here
        assert here <= inside


def test_the_laws_need_numpy_and_scipy_alone_and_half_a_second(installed):
    code = (
        "import sys, time; before = {*sys.modules}; start = time.process_time(); "
        "from mixlaws.laws.nested import fit_nested; "
        "seconds = time.process_time() - start; import mixlaws; "
        "tops = {m.split('.')[0] for m in {*sys.modules} - before} - sys.stdlib_module_names; "
        "print(seconds, mixlaws.__file__, *sorted(t for t in tops if not t.startswith('_')))"
    )
    # Processor seconds, and the best of three: other processes may share this machine.
    found = [in_wheel(installed, "-c", code).split() for _ in range(3)]
    path, *others = found[0][1:]
    assert Path(path).is_relative_to(installed)
    assert {"mixlaws", "numpy"} <= set(others) <= {"mixlaws", "numpy", "scipy"}
    assert min(float(line[0]) for line in found) < 0.5


def test_the_command_and_the_schemas_work_without_the_repository(installed):
    command = installed / "bin" / "mixlaws"
    text = in_wheel(installed, command, "--help")
    for name in ("init", "plan", "status", "show", "fit", "export"):
        assert name in text
    config = ROOT / "tests/workflow/smoke.yaml"
    text = in_wheel(installed, command, "status", "--configfile", config)
    assert "smoke: 14 runs" in text


def test_a_command_that_needs_an_extra_says_so(installed):
    code = (
        "import sys; sys.modules['torch'] = None; "
        "sys.argv = ['mixlaws', 'export', 'checkpoints', 'folder']; "
        "from mixlaws.__main__ import main; sys.exit(main())"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=installed.parent,
        env={"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 1
    assert found.stderr == "this command needs torch: pip install 'mixlaws[train]'\n"


def test_the_wheel_alone_fits_losses(installed, tmp_path):
    """No torch, no Snakemake: two tables of one size and checkpoint, and the page."""
    table = grid_table().query("size == '1M' and tokens == 320_000")
    files = write(tmp_path, table, grid_mixtures())
    arguments = ["--losses", files["losses"], "--mixtures", files["mixtures"]]
    arguments += ["--mixing", "additive", "--replicates", "10", "--directory", str(tmp_path)]
    code = f"""
import sys

class Absent:
    def find_spec(self, name, *_):
        if name.split(".")[0] in ("torch", "lightning", "snakemake", "tokenizers", "datasets"):
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, Absent())
from mixlaws.__main__ import main
sys.argv = ["mixlaws", "fit", *{arguments!r}]
sys.exit(main())
"""
    said = in_wheel(installed, "-c", code)
    page = tmp_path / "results/own_losses/report.html"
    assert said.splitlines()[-1] == str(page)
    assert "nothing is said about losses at another size" in page.read_text()
