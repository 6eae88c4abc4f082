"""Layers of the package: modules import only from below, heavy libraries only where allowed."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mixlaws"
LAYERS = [  # a package imports only from lines above its own
    {"errors"},
    {"files", "footers", "presentation"},
    {"tables", "provenance", "laws", "recipes"},
    {"figure_folder", "run_files"},
    {"text", "results"},
    {"mixtures"},
    {"runs"},
    {"training", "losses"},
    {"scoring", "figures"},
    {"decision", "report"},
    {"paper", "config"},
    {"own_losses", "comparison"},
    {"api", "fit_command", "size_command"},
    {"predict_command", "compare_command"},
]
LEVEL = {package: level for level, packages in enumerate(LAYERS) for package in packages}
PANDAS_FREE = {"laws", "mixtures", "runs", "config", "files", "provenance"}
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p.name not in ("__init__.py", "__main__.py"))


def unit(path):
    """Return the layer's unit a file belongs to: its package, or itself at the top."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path):
    name = unit(path)
    assert name in LEVEL, f"give {name} a layer"
    for module in imports(path):
        if not module.startswith("mixlaws.") or unit_of(module) == name:
            continue
        other = unit_of(module)
        assert LEVEL[other] < LEVEL[name], f"{name} imports {other}"


def unit_of(module):
    return module.split(".")[1]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_heavy_libraries_stay_where_they_belong(path):
    name, tops = unit(path), {module.split(".")[0] for module in imports(path)}
    if name != "training":
        assert not tops & {"torch", "lightning"}
    if name in PANDAS_FREE:
        assert "pandas" not in tops
    if name != "figures" and path.parent != PACKAGE / "paper" / "figures":
        assert not tops & {"seaborn", "matplotlib"}
    if name != "__main__":
        assert "snakemake" not in tops


def test_what_the_snakefile_imports_is_light():
    """Every cluster job parses the Snakefile, so its imports must be fast."""
    code = (
        "import sys; import mixlaws.config.complete, mixlaws.runs.sweep; "
        "print([m for m in ('torch', 'pandas', 'scipy', 'seaborn') if m in sys.modules])"
    )
    root = PACKAGE.parent
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr


def test_training_needs_torch_and_lightning_alone():
    """The GPU benchmark runs on a machine without other libraries."""
    code = (
        "import sys; import mixlaws.training.train; heavy = ('pandas', 'scipy', 'yaml', "
        "'datasets', 'pyarrow', 'tokenizers', 'snakemake', 'safetensors'); "
        "print([m for m in heavy if m in sys.modules and m not in before])"
    ).replace(
        "import sys; ", "import sys; import torch, lightning.pytorch; before = {*sys.modules}; "
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True
    )
    assert found.stdout.strip() == "[]", found.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_house_limits(path):
    """Functions of at most 50 lines with at most 6 parameters; modules of at most 300 lines."""
    text = path.read_text()
    limit = 350 if path.name == "model.py" else 300
    assert len(text.splitlines()) <= limit, f"{path.name} is too long"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= 50, f"{node.name} has {lines} lines"
            names = parameters(node.args)
            assert len(names) <= 6, f"{node.name} has {len(names)} parameters"


def parameters(arguments):
    """Return the names of a function's parameters, without self and cls."""
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    found += [each for each in (arguments.vararg, arguments.kwarg) if each]
    return [each.arg for each in found if each.arg not in ("self", "cls")]


RULE_FILES = [PACKAGE.parent / "Snakefile", *sorted((PACKAGE.parent / "workflow").rglob("*.smk"))]


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda p: p.name)
def test_rule_files_stay_short(path):
    """Rules of at most 60 lines, files of at most 300."""
    lines = path.read_text().splitlines()
    assert len(lines) <= 300
    for start, line in enumerate(lines):
        if re.match(r"\s*(use rule|rule|checkpoint)\b.*:$", line):
            length = rule_length(lines[start:])
            assert length <= 60, f"{line.strip()} has {length} lines"


def rule_length(lines):
    """Return how many lines the rule has that starts with the first line."""
    indent = len(lines[0]) - len(lines[0].lstrip())
    last = 0
    for number, line in enumerate(lines[1:], start=1):
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        last = number if line.strip() else last
    return last + 1


def test_every_limit_is_tested_on_something():
    """A loop over an empty glob would test nothing and pass."""
    assert len(MODULES) > 50
    assert len(RULE_FILES) > 5
    texts = [path.read_text() for path in RULE_FILES]
    assert sum(len(re.findall(r"(?m)^ *(?:rule|checkpoint)\b.*:$", text)) for text in texts) > 30
