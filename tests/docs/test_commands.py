"""Every command of the documentation is run here or by another test, or says why it is not."""

import ast
import re

import pytest
import yaml
from doc_pages import PAGES, ROOT, SHELL, Reader, name, outside_blocks, tutorial_config

COMMANDS = r"(?:snakemake|mixlaws|make|python3?|pip|git|cp|export|apptainer|cd)\b"


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_every_command_says_how_it_is_tested(block):
    assert re.fullmatch(r"runs|tested: \S+::\w+|not tested: .{10,}", block.mark), (
        f"{block}: write <!-- runs -->, <!-- tested: PATH::TEST --> or <!-- not tested: REASON --> "
        f"on the line above, got {block.mark!r}"
    )


@pytest.mark.parametrize("mark", sorted({block.mark for block in SHELL if "::" in block.mark}))
def test_named_tests_exist(mark):
    path, test = mark.removeprefix("tested: ").split("::")
    tree = ast.parse((ROOT / path).read_text())
    assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_stand_in_marked_blocks(page):
    """A command in an indented block, or in a block of another name, would escape the tests."""
    indented = re.findall(rf"^(?: {{4}}|\t)\$? ?{COMMANDS}.*", outside_blocks(page), re.MULTILINE)
    assert not indented
    assert not re.findall(r"^```(?:bash|shell|console)$", page.read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_one_spelling_of_each_command(page):
    """The environment is activated once; from then on every command is its bare name."""
    others = r"\.venv/bin/(?!activate)\S+|python3? -m (?:snakemake|mixlaws)\s|/bin/mixlaws"
    assert not re.findall(others, page.read_text())


def test_commands_that_cost_little_run(tmp_path):
    reader, outputs = Reader(tmp_path), {}
    reader.run("mixlaws init mine")  # the experiment of the how-to guides
    config = tmp_path / "experiments" / "folders.yaml"
    for block in SHELL:
        if block.mark != "runs":
            continue
        for command in block.commands:
            if command not in outputs:
                outputs[command] = reader.run(command)
            if command.startswith("mixlaws init folders"):
                config.write_text(yaml.safe_dump(tutorial_config(config.read_text())))
    assert re.fullmatch(
        r"text/code: \S+ files, [23]\.\d MB\ntext/headers: \S+ files, [23]\.\d MB\n"
        r"text/prose: \S+ files, [123]\.\d MB\n",
        outputs["python docs/three_folders.py text"],
    )
    planned = outputs["snakemake --cores 2 --configfile experiments/folders.yaml -n"]
    assert re.search(r"^train_proxy +28$", planned, re.MULTILINE)
    assert "sampled mixtures" in outputs["mixlaws plan --configfile experiments/redpajama.yaml"]
