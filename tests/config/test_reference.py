"""The JSON schemas and docs/config.md are generated from the models and up to date."""

import json

import jsonschema
import pytest
import yaml

from mixlaws.config.complete import complete_config
from mixlaws.config.reference import ROOTS, json_schema, main, references
from mixlaws.errors import ConfigError


def test_the_written_files_are_up_to_date(capsys):
    assert main(["--check"]) == 0, capsys.readouterr().out


def test_a_changed_model_is_noticed(monkeypatch, tmp_path, capsys):
    path = tmp_path / "config.md"
    path.write_text("old")
    monkeypatch.setattr("mixlaws.config.reference.references", lambda: {path: "new"})
    assert main(["--check"]) == 1
    assert f"{path} is out of date" in capsys.readouterr().out
    assert main([]) == 0
    assert path.read_text() == "new"


@pytest.mark.parametrize("root", ROOTS.values(), ids=ROOTS)
def test_every_key_is_described(root):
    schema = json_schema(root)
    sections = [schema, *schema["$defs"].values()]
    keys = [item for section in sections for item in section.get("properties", {}).items()]
    assert len(keys) > 20
    for name, node in keys:
        described = node if "description" in node else schema["$defs"][node["$ref"].split("/")[-1]]
        assert described["description"].endswith((".", ";")), name


def test_the_page_has_a_row_for_every_key():
    (page,) = (text for path, text in references().items() if path.suffix == ".md")
    for root in ROOTS.values():
        schema = json_schema(root)
        for section in [schema, *schema["$defs"].values()]:
            for name in section.get("properties", {}):
                assert f"| `{name}` |" in page


def test_the_schema_accepts_what_the_models_accept(root):
    validators = {
        name: jsonschema.Draft202012Validator(json_schema(model)) for name, model in ROOTS.items()
    }
    paths = [root / "config.yaml", *sorted((root / "experiments").glob("*.yaml"))]
    assert len(paths) > 3
    for path in paths:
        config = yaml.safe_load(path.read_text())
        kinds = [name for name in ("published", "losses") if name in config]
        validator = validators[kinds[0] if kinds else "experiment"]
        validator.validate(config)
        validator.validate(complete_config(config))


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("training", "num_steps", 0),
        ("training", "seeds", [-1]),
        ("training", "seeds", [0, 0]),
        ("training", "divergence_margin", 0),
        ("training", "compile", "yes"),
        ("laws", "mixing", "M2"),
        ("laws", "early_cut", 1),
        ("mixtures", "limits", {"docs": [0, 2]}),
        ("target", "size", 3),
        ("target", "sise", "25K"),
    ],
)
def test_the_schema_refuses_what_the_models_refuse(root, section, key, value):
    config = json.loads(json.dumps(yaml.safe_load((root / "tests/config/whole.yaml").read_text())))
    config[section][key] = value
    with pytest.raises(ConfigError):
        complete_config(config)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(config, json_schema(ROOTS["experiment"]))
