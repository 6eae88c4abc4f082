"""Several config files: the messages say which file a value came from."""

import pytest

from mixlaws.config.merged import merge_notes, with_origins
from mixlaws.errors import ConfigError


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = {
        "base.yaml": "experiment: a\nvalidation:\n  weights: {docs: .5, web: .5}\n  share: .1\n",
        "mine.yaml": "experiment: b\nvalidation:\n  weights: {rst: 1}\n",
        "last.yaml": "validation:\n  share: .2\nseed: 1\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return list(texts)


NOTES = [
    "experiment: mine.yaml wins over base.yaml",
    "validation.weights: docs, web of base.yaml and rst of mine.yaml",
    "validation.share: last.yaml wins over base.yaml",
]


def test_every_key_of_two_files_is_told(files):
    assert merge_notes(files) == NOTES
    assert merge_notes(files[:1]) == []


def test_an_error_says_what_was_merged(files):
    with pytest.raises(ConfigError) as caught, with_origins(files, {"training": ""}, is_told=False):
        raise ConfigError("validation.weights: must sum to 1, found 2")
    assert str(caught.value).splitlines() == [
        "validation.weights: must sum to 1, found 2",
        "The config files are merged, and the last one wins:",
        *(f"  - {note}" for note in NOTES),
        "--config replaces training; Snakemake passes nested values as text",
    ]


def test_an_error_without_files_says_that_none_was_read():
    with pytest.raises(ConfigError) as caught, with_origins([], {"experiment": "x"}, is_told=False):
        raise ConfigError("domains: missing")
    assert str(caught.value).splitlines()[1] == (
        "No config file was read: config.yaml is the demo's, and is read only if neither "
        "--configfile nor an experiment is given. Add --configfile FILE"
    )


def test_a_merge_that_is_valid_is_told_once(files, capsys):
    for is_told in (True, False):
        with with_origins(files, {}, is_told=is_told):
            pass
    assert capsys.readouterr().err.splitlines()[1:] == [f"  - {note}" for note in NOTES]
    with with_origins(files[:1], {}, is_told=True):
        pass
    assert capsys.readouterr().err == ""
