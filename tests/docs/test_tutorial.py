"""The tutorial's commands lead from three folders of text to a mixture."""

import re

import pytest
import yaml
from doc_pages import ROOT, Reader, blocks, tutorial_config


@pytest.mark.slow
def test_the_tutorial_ends_in_a_mixture(tmp_path):
    """With a quarter of the steps and fewer mixtures, because only the way is tested here."""
    reader, config = Reader(tmp_path), tmp_path / "experiments" / "folders.yaml"
    printed = {}
    for block in blocks(ROOT / "docs" / "tutorial.md"):
        if block.language != "sh" or block.mark.startswith("not tested"):
            continue
        for command in block.commands:
            printed[command] = reader.run(command, timeout=900)
            if command.startswith("mixlaws init folders"):
                config.write_text(yaml.safe_dump(smaller(tutorial_config(config.read_text()))))
    answer = printed["mixlaws show --configfile experiments/folders.yaml"]
    assert re.search(r"^  mixture +.*\d+ % (prose|code|headers)", answer, re.MULTILINE), answer
    # So small a sweep may support no recommendation; the gain is then the observed one alone.
    gain = r"^  gain over uniform +[+-]\d\.\d{3} (\(|observed)"
    assert re.search(gain, answer, re.MULTILINE), answer
    assert answer.endswith("  results/folders/report.html\n")
    assert (tmp_path / "results" / "folders" / "report.html").exists()


def smaller(config):
    """Return the tutorial's config with less to train."""
    config["training"] |= {"num_steps": 100}
    config["mixtures"] = {"count": 4, "held_out": 0}
    config["target"] |= {"tokens": 204_800}
    config["confirmation"] = {"mixtures": ["uniform"], "seeds": [0]}
    config["uncertainty"] = {"replicates": 20}
    return config
