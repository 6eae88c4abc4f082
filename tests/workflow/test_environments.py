"""The environments: the same pins everywhere, and every import covered."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"([A-Za-z0-9_.-]+)(?:\[[a-z,]+\])?==([0-9][^\s;]*)")
# Import names that are not the name of the distribution.
DISTRIBUTIONS = {"yaml": "pyyaml"}
# matplotlib comes with seaborn; no rule calls the comparators' extras; the reader of TensorBoard's
# files names the package that it needs.
ELSEWHERE = {"matplotlib", "lightgbm", "sklearn", "tensorboard"}


def pins(requirements):
    return dict(PIN.fullmatch(text).groups() for text in requirements)


def conda_pins(name):
    environment = yaml.safe_load((ROOT / "envs" / name).read_text())
    (wheels,) = [part["pip"] for part in environment["dependencies"] if isinstance(part, dict)]
    return environment, pins(wheels)


def project_pins():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    named = [extras[name] for name in ("workflow", "train", "pretrained")]
    return pins([*project["dependencies"], *(text for extra in named for text in extra)])


@pytest.mark.parametrize("name", ["train.yaml", "analysis.yaml"])
def test_the_pins_are_those_of_the_project(name):
    environment, found = conda_pins(name)
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    project = project_pins()
    assert found == {package: project[package] for package in found}


def imports(path):
    """Return the third-party packages that a module needs, its own modules' included."""
    names, own, seen = set(), [path], set()
    while own:
        here = own.pop()
        if here in seen:
            continue
        seen.add(here)
        for node in ast.walk(ast.parse(here.read_text())):
            for module in modules_of(node):
                top = module.split(".")[0]
                if top == "mixlaws":
                    own += sources_of(module)
                elif top not in sys.stdlib_module_names and top != "snakemake":
                    names.add(DISTRIBUTIONS.get(top, top))
    return names


def modules_of(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def sources_of(module):
    base = ROOT / module.replace(".", "/")
    found = [base.with_suffix(".py"), base / "__init__.py"]
    return [path for path in found if path.exists()]


def rules():
    """Yield (script, environment file) of every rule."""
    paths = sorted((ROOT / "workflow" / "rules").rglob("*.smk"))
    assert paths
    for path in paths:
        text = path.read_text()
        for block in re.split(r"\n(?=(?:rule|checkpoint)\b)", text):
            script = re.search(r'"(?:\.\./)+scripts/(\w+\.py)"', block)
            environment = re.search(r'"(?:\.\./)+envs/(\w+\.yaml)"', block)
            if script:
                assert environment, f"the rule of {script[1]} has no conda environment"
                yield script[1], environment[1]


@pytest.mark.parametrize(("script", "environment"), sorted(set(rules())))
def test_every_import_of_a_rule_is_in_its_environment(script, environment):
    """Snakemake adds its own packages to a script's path, so a missing one would go unseen."""
    needed = imports(ROOT / "workflow" / "scripts" / script)
    missing = needed - set(conda_pins(environment)[1]) - ELSEWHERE
    assert not missing, f"{environment} lacks {', '.join(sorted(missing))}"


def test_every_script_belongs_to_the_rule_of_its_name():
    scripts = {path.name for path in (ROOT / "workflow" / "scripts").glob("*.py")}
    assert scripts == {script for script, _ in rules()}
    texts = [path.read_text() for path in (ROOT / "workflow" / "rules").rglob("*.smk")]
    names = re.findall(r"(?m)^(?:rule|checkpoint) (\w+):", "\n".join(texts))
    assert {f"{name}.py" for name in names} - scripts == {"verdicts.py"}  # a target


def test_no_script_reads_the_config_or_asks_for_its_rule():
    for path in (ROOT / "workflow" / "scripts").glob("*.py"):
        assert not re.search(r"snakemake\.(config|rule)\b", path.read_text()), path.name


def test_scripts_only_translate():
    """At most 40 lines of code; no def, if or loop."""
    paths = sorted((ROOT / "workflow" / "scripts").glob("*.py"))
    assert paths
    for path in paths:
        text = path.read_text()
        assert len(text.splitlines()) <= 40, path.name
        tree = ast.parse(text)
        banned = (ast.FunctionDef, ast.For, ast.While)
        assert not [node for node in ast.walk(tree) if isinstance(node, banned)], path.name
        branches = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
        assert len(branches) == 1, f"{path.name}: only the TYPE_CHECKING branch"
