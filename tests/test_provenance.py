import ast
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mixlaws import provenance
from mixlaws.errors import ConfigError, DataError, check_program_path, ending_with_one_message
from mixlaws.files import atomic_path, read_json, write_json
from mixlaws.provenance import cost_file, import_closure, source_digest


def test_a_failed_write_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "deep" / "record.json"
    write_json({"b": 1, "a": [0.1]}, path)
    with pytest.raises(ZeroDivisionError), atomic_path(path) as temporary:
        temporary.write_text(f"half {1 / 0}")
    assert read_json(path) == {"a": [0.1], "b": 1}
    assert [p.name for p in path.parent.iterdir()] == ["record.json"]


def test_json_is_sorted_and_refuses_nan(tmp_path):
    write_json({"b": 1, "a": 2}, tmp_path / "x.json")
    assert (tmp_path / "x.json").read_text() == '{\n  "a": 2,\n  "b": 1\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json({"a": math.nan}, tmp_path / "y.json")
    assert not (tmp_path / "y.json").exists()


def test_damaged_and_missing_records_are_named(tmp_path):
    with pytest.raises(DataError, match=r"There is no file .*gone.json"):
        read_json(tmp_path / "gone.json")
    (tmp_path / "half.json").write_text('{"a": ')
    with pytest.raises(DataError, match=r"half.json is corrupt: .* Delete it"):
        read_json(tmp_path / "half.json")


@pytest.fixture
def edited(root, tmp_path, monkeypatch):
    """Return a function that names the scripts whose digest changes if a file gets another line."""
    for folder in ("before", "after"):
        shutil.copytree(root / "mixlaws", tmp_path / folder / "mixlaws")
    scripts = sorted((root / "workflow" / "scripts").glob("*.py"))
    assert scripts

    def digests(folder):
        monkeypatch.setattr(provenance, "PACKAGE", tmp_path / folder / "mixlaws")
        return {script.stem: source_digest(script) for script in scripts}

    def edit(name):
        (path,) = (tmp_path / "after" / "mixlaws").rglob(name)
        path.write_text(path.read_text() + "\n")
        before, after = digests("before"), digests("after")
        return {script for script in before if before[script] != after[script]}

    return edit


def test_an_edit_of_the_solver_concerns_what_fits(edited):
    changed = edited("least_squares.py")
    assert changed >= {"fit_laws", "score_laws", "find_optimum", "bound_target"}
    assert not changed & {
        "round_optimum",
        "write_mixtures",
        "rank_mixtures",
        "account_tokens",
        "write_recipes",
    }


def test_an_edit_of_a_template_concerns_the_page(edited):
    pages = {"write_report", "write_published_report", "write_continual_report"}
    assert edited("page.html.j2") == pages


def test_an_edit_of_a_helper_concerns_all_that_reach_it(edited):
    changed = edited("schedules.py")
    assert changed >= {"score_laws", "fit_laws", "find_optimum", "score_pipelines", "bound_target"}


def test_a_script_that_does_not_exist_is_named(root):
    script = root / "workflow" / "scripts" / "fit_laws.py"
    with pytest.raises(DataError, match=r"there is no script .*no_such.py. Name one in"):
        source_digest(script.with_name("no_such.py"))


@pytest.mark.parametrize(
    "name", ["score_laws", "find_optimum", "rank_mixtures", "write_published_report", "train_proxy"]
)
def test_the_closure_has_every_module_that_a_script_loads(root, name):
    script = root / "workflow" / "scripts" / f"{name}.py"
    text = script.read_text()
    imports = [node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom)]
    lines = [ast.get_source_segment(text, node) for node in imports]
    found = "[m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'mixlaws']"
    code = "\n".join([*lines, "import sys", f"print(*{found})"])
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    loaded = {Path(path).resolve() for path in run.stdout.split()}
    assert loaded, run.stderr
    assert loaded <= {path.resolve() for path in import_closure(script)}


def test_every_digest_names_the_script_of_its_rule(root):
    found = []
    for path in sorted((root / "workflow" / "rules").rglob("*.smk")):
        named, script = None, None
        for line in path.read_text().splitlines():
            if match := re.search(r'source_of\("(\w+)"\)', line):
                named = match[1]
            if match := re.search(r'"(?:\.\./)+scripts/(\w+)\.py"', line):
                script = match[1]
                found += [(named, script)] if named else []
                named = None
    assert len(found) > 20
    assert all(named == script for named, script in found)


@pytest.mark.parametrize(
    ("log", "cost"),
    [
        ("results/demo/logs/fit_laws.log", "results/demo/benchmarks/fit_laws.json"),
        (
            "logs/results/logs/read_part/web/00001.log",
            "logs/results/benchmarks/read_part/web/00001.json",
        ),
        ("somewhere/else.log", None),
    ],
)
def test_the_cost_of_a_job_is_recorded_beside_its_log(log, cost):
    assert cost_file(log) == (cost and Path(cost))


def test_a_users_error_ends_the_program_with_its_message():
    with pytest.raises(SystemExit) as ended, ending_with_one_message():
        raise DataError("no text in x: give it some")
    assert ended.value.code == "DataError: no text in x: give it some"
    with pytest.raises(KeyError), ending_with_one_message():
        raise KeyError("ours")


@pytest.mark.parametrize("path", ["/my project/.venv/bin/python", "/a(1)/python", "/it's/python"])
def test_a_python_that_no_job_can_start_with_is_named(path):
    with pytest.raises(ConfigError) as error:
        check_program_path(path)
    assert str(error.value).startswith(
        f"Snakemake cannot start jobs with the Python at {path!r}: the path has "
    )
    check_program_path("/home/é_1/proj-2.0/.venv/bin/python3.11")
