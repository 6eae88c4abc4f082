"""Every cell of the hostile table is as tests/hostile/outcomes.json says, or has a reason."""

import ast
import copy
import json
from pathlib import Path

import hostile_cases
import pytest
import yaml
from hostile_cases import CASES, KINDS, REASONS, STAGES, whole
from hostile_table import END, OUTCOMES, PAGE, START, contents, outcome, table

EXPECTED = json.loads(OUTCOMES.read_text())
# Five million rows; and what needs an experiment from tables to page, 15 s, made once.
SLOW = {("rows", "read"), ("rows", "import"), ("limits", "fit"), ("markup", "page")}
SLOW |= {("paths", "page"), ("empty", "page"), ("damaged", "page")}
CELLS = [
    pytest.param(*cell, marks=pytest.mark.slow if cell in SLOW else (), id="-".join(cell))
    for cell in CASES
]


@pytest.mark.parametrize(("kind", "stage"), CELLS)
def test_outcomes(kind, stage, tmp_path):
    assert outcome(kind, stage, tmp_path) == EXPECTED[f"{kind} {stage}"]


def test_each_cell_has_a_case_or_a_reason():
    cells = {(kind, stage) for kind in KINDS for stage in STAGES}
    assert {*CASES} | {*REASONS} == cells
    assert {*CASES} & {*REASONS} == set()
    assert all(REASONS.values())
    assert {tuple(name.split()) for name in EXPECTED} == {*CASES}


class _Blank(ast.NodeTransformer):
    """Puts one value in place of every literal."""

    def visit_Constant(self, _node):
        return ast.Constant(0)

    def visit_JoinedStr(self, _node):
        return ast.Constant(0)


def test_no_two_cases_differ_in_a_literal_only():
    tree = ast.parse(Path(hostile_cases.__file__).read_text())
    functions = [each for each in tree.body if getattr(each, "name", "") == "_"]
    assert len(functions) == len(CASES)
    bodies = []
    for function in functions:
        body = function.body[1:] if ast.get_docstring(function) else function.body
        bodies.append("\n".join(ast.unparse(_Blank().visit(copy.deepcopy(each))) for each in body))
    assert [body for body in bodies if bodies.count(body) > 1] == []


def test_a_refusal_is_one_error_of_the_user():
    for found in EXPECTED.values():
        kinds = ("ConfigError: ", "DataError: ", "FitError: ") if found["status"] else "accepted: "
        assert found["message"].startswith(kinds)


def test_the_page_has_the_table():
    page = PAGE.read_text()
    assert page.split(START)[1].split(END)[0].strip().splitlines() == table(EXPECTED)


DOCS = whole()["domains"]["docs"]
OWN = "experiment: own\nlosses: {files: {losses: losses.csv, mixtures: mixtures.csv}}\n"
# What Snakemake is given, and what it must say; in a folder with results of an earlier run.
CONFIGS = {
    "limits": (
        whole(mixtures__limits={name: [0.5, 0.75] for name in ("python", "docs", "cpp")}),
        "mixtures: no mixture on the 1/64 lattice is within the limits",
    ),
    "tags": ("experiment: !!python/name:os.system\n", "could not determine a constructor"),
    "paths": (whole(experiment="../up"), "experiment: must consist of letters, digits, dots"),
    "markup": (
        whole(domains=whole()["domains"] | {"<b>maths</b>": DOCS}),
        "domains.<b>maths</b>: the name must consist of letters, digits, hyphens",
    ),
    "many": (
        whole(domains={f"d{n:02d}": DOCS for n in range(60)}, validation__weights={"d00": 0.5}),
        "validation.weights: must sum to 1, found 0.5",
    ),
    "one": (whole(domains={"docs": DOCS}), "domains: must have at least 2 entries, found 1"),
    "rows": (OWN, "losses.csv: there is no row below the header. Add the losses"),
    "empty": (whole(domains=None), "domains: must be keys with values, found null"),
    # Snakemake reads the file before the workflow does, and says so itself.
    "damaged": ("experiment: a\nseed: {\n", "Config file is not valid JSON or YAML"),
    "numbers": (whole(target__tokens=10**40), "target.tokens: must be at most 9,223,372,036,854"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_through_snakemake(kind, fresh):
    config, words = CONFIGS[kind]
    text = config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False)
    (fresh.folder / "hostile.yaml").write_text(text)
    (fresh.folder / "losses.csv").write_text("size,mixture,tokens,validation_domain,loss\n")
    (fresh.folder / "mixtures.csv").write_text("id,web,code\na,0.5,0.5\n")
    earlier = fresh.folder / "results/earlier"
    earlier.mkdir(parents=True)
    (earlier / "report.html").write_text("a page of an earlier run\n")
    arguments = ["--", "results/own/import.json"] if kind == "rows" else ["--dry-run"]
    output = fresh.snakemake(*arguments, config="hostile.yaml", check=False)
    assert words in " ".join(output.split())
    assert "Traceback" not in output
    found = contents(fresh.folder / "results")
    kept = {name for name in found if not name.startswith("own")}
    assert kept == {"earlier", "earlier/report.html"}
    left = {name for name in found if name.endswith((".csv", ".json", ".parquet"))}
    assert left == set()
