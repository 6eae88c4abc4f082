"""No file of a user becomes code: nothing is unpickled, evaluated, unpacked or given to a shell."""

import ast
import re
from pathlib import Path

import pytest
import torch
import yaml
from text_workplace import write_lines

from mixlaws.errors import ConfigError, DataError
from mixlaws.text.parts import Part
from mixlaws.text.reading import read_part

ROOT = Path(__file__).parents[1]
PROGRAMS = [
    p for part in ("mixlaws", "workflow", "benchmarks") for p in (ROOT / part).rglob("*.py")
]
# Calls that turn data into code or files. Weights are read as safetensors, states by Lightning.
FORBIDDEN = re.compile(
    r"^(eval|exec|compile|__import__|os\.system|os\.popen|yaml\.(load|unsafe_load|full_load)"
    r"|(pickle|dill|joblib|cloudpickle|marshal|shelve)\..*|torch\.load|(pd|pandas)\.read_pickle"
    r"|.*\.extractall|shutil\.unpack_archive|subprocess\.(getoutput|getstatusoutput))$"
)


def calls():
    for path in PROGRAMS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                options = {each.arg: ast.unparse(each.value) for each in node.keywords}
                yield path.relative_to(ROOT), ast.unparse(node.func), options


def test_no_call_makes_code_of_data():
    found = list(calls())
    assert len(found) > 3000
    assert [(path, name) for path, name, _ in found if FORBIDDEN.match(name)] == []
    assert [path for path, _, options in found if options.get("shell", "False") != "False"] == []
    assert [path for path, _, options in found if options.get("allow_pickle") == "True"] == []
    assert [path for path, _, options in found if "trust_remote_code" in options] == []
    fits = [options for _, name, options in found if name == "trainer.fit"]
    assert fits
    assert all(options["weights_only"] == "True" for options in fits)


def test_no_rule_gives_text_to_a_shell():
    rules = [ROOT / "Snakefile", *(ROOT / "workflow").rglob("*.smk")]
    assert len(rules) > 5
    for path in rules:
        assert not re.search(r"(?m)^\s*(shell|run):", path.read_text()), path


class Harmful:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_state_that_holds_code_is_refused(tmp_path):
    """As training reads states."""
    torch.save({"state_dict": Harmful(tmp_path / "harm")}, tmp_path / "step-000000001.ckpt")
    with pytest.raises(Exception, match="Weights only load failed"):
        torch.load(tmp_path / "step-000000001.ckpt", weights_only=True)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true') == 0",
        "().__class__.__bases__[0].__subclasses__() == 1",
        "text.__class__ == 1",
        "'{0.__class__}'.format(text) == ''",
        "[x for x in text] == 1",
        "(lambda: True)()",
        "open('/etc/passwd') == 1",
        "len('x' * 10 ** 9) > 1",
        "9 ** 9 ** 9 ** 9 > 1",
    ],
)
def test_a_filter_reaches_nothing_but_the_record(tmp_path, expression):
    path = write_lines(tmp_path / "a.jsonl", ["text"])
    options = {"source": "files", "paths": [str(path)], "filter": expression}
    with pytest.raises((ConfigError, DataError), match="filter"):
        read_part("web", options, Part(), validation_share=1.0, output=tmp_path / "a.parquet")


def test_yaml_tags_make_no_objects():
    with pytest.raises(yaml.YAMLError, match="could not determine a constructor"):
        yaml.safe_load("a: !!python/object/apply:os.system ['true']")
