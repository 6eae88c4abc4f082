"""Token files of an earlier experiment as a domain of another one."""

import shutil
from dataclasses import replace

import pandas as pd
import pytest
import yaml
from text_workplace import Workplace

from mixlaws.config.complete import complete_config
from mixlaws.errors import ConfigError, DataError
from mixlaws.report.text import contamination_findings
from mixlaws.runs.text_cost import text_rows, text_tokens
from mixlaws.text.accounting import Roles, contamination_table
from mixlaws.text.duplicates import find_duplicates
from mixlaws.text.sources.token_files import TokenFilesSource, adopt_tokens, given_files
from mixlaws.text.tokenizer import adopt_tokenizer, open_tokenizer
from mixlaws.text.tokens import read_manifest


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    workplace = Workplace(tmp_path_factory.mktemp("earlier"))
    workplace.write_all()
    return workplace


def source(workplace, domain="web"):
    return {"source": "tokens", "folder": str(workplace.folder / "tokens" / domain)}


def adopt(workplace, folder, *, split="train", tokenizer=None, given=None):
    output = (folder / f"{split}.bin", folder / f"{split}.json")
    adopt_tokens(
        given or given_files("news", source(workplace), split),
        domain="news",
        split=split,
        tokenizer=tokenizer or workplace.tokenizer,
        output=output,
    )
    return output


@pytest.mark.parametrize("split", ["train", "validation"])
def test_the_same_tokens_under_a_new_name(workplace, tmp_path, split):
    tokens, manifest = adopt(workplace, tmp_path, split=split)
    earlier = workplace.folder / f"tokens/web/{split}.bin"
    assert tokens.read_bytes() == earlier.read_bytes()
    before = read_manifest(earlier.with_suffix(".json"))
    assert read_manifest(manifest) == replace(before, domain="news")
    assert read_manifest(manifest).fingerprint() == before.fingerprint()


def test_the_earlier_experiments_files_keep_their_dates(workplace, tmp_path):
    """Snakemake dates its outputs: of a link, the other experiment's file as well."""
    earlier = workplace.folder / "tokens/web/train.bin"
    tokens, _ = adopt(workplace, tmp_path)
    assert tokens.stat().st_ino != earlier.stat().st_ino


def test_a_given_tokenizer_is_adopted_without_a_change(workplace, tmp_path):
    output = tmp_path / "tokenizer.json"
    adopt_tokenizer(open_tokenizer({"file": workplace.tokenizer}), output=output)
    assert output.read_bytes() == workplace.tokenizer.read_bytes()


def test_another_tokenizer(workplace, tmp_path):
    other = tmp_path / "tokenizer.json"
    workplace.train(other, vocabulary_size=290)
    with pytest.raises(
        DataError,
        match=r"domain 'news', given as token files .*train\.bin was made with another tok",
    ):
        adopt(workplace, tmp_path, tokenizer=other)
    assert not list(tmp_path.glob("train.*"))


def test_a_manifest_of_another_split(workplace, tmp_path):
    given = given_files("news", source(workplace), "validation")
    with pytest.raises(DataError, match="describes web/validation and is used as a train split"):
        adopt(workplace, tmp_path, given=given)


def test_a_token_file_that_was_changed(workplace, tmp_path):
    copied = shutil.copytree(workplace.folder / "tokens/web", tmp_path / "web")
    content = bytearray((copied / "train.bin").read_bytes())
    content[0] ^= 1
    (copied / "train.bin").write_bytes(content)
    with pytest.raises(DataError, match=r"domain 'news', given as .*train\.bin was changed after"):
        adopt(workplace, tmp_path, given=(copied / "train.bin", copied / "train.json"))
    assert not list(tmp_path.glob("train.*"))


def test_the_plan_is_written_before_the_token_files_are(tmp_path):
    away = {"source": "tokens", "folder": str(tmp_path / "away")}
    unknown = "unknown: its token files are not there"
    assert text_tokens("news", away, 0.1) == (None, unknown)
    assert text_tokens("news", away | {"available_tokens": 70}, 0.1) == (70, "stated")
    config = {"domains": {"news": away}, "validation": {"domains": {}}}
    assert text_rows(config, 300)[0]["counted_by"] == unknown


def test_a_folder_without_token_files(workplace, monkeypatch):
    with pytest.raises(DataError, match=r"domain 'news': no token files of the train split: "):
        given_files("news", source(workplace, "test"), "train")  # validation only
    monkeypatch.setenv("EARLIER", str(workplace.folder))
    found = TokenFilesSource(folder="$EARLIER/tokens/web").manifest("train")
    assert found.num_documents > 30


def test_the_plan_knows_the_tokens(workplace):
    counts = [
        read_manifest(given_files("news", source(workplace), split)[1]).num_tokens
        for split in ("train", "validation")
    ]
    assert text_tokens("news", source(workplace), 0.1) == (counts[0], "its manifest")
    config = {
        "domains": {"news": source(workplace)},
        "validation": {"domains": {"test": source(workplace, "test")}},
    }
    news, test, total = text_rows(config, 300)
    assert news["tokens"] == sum(counts)
    assert news["tokens_bytes"] == 2 * sum(counts)
    assert (news["jobs"], test["jobs"], total["jobs"]) == (2, 1, 6)
    assert news["read_hours"] == news["tokenize_hours"] == news["parts"] == 0


def test_a_tokenizer_must_be_given_too(workplace, root):
    config = yaml.safe_load((root / "tests/config/whole.yaml").read_text())
    domain = next(iter(config["domains"]))
    config["domains"][domain] = source(workplace)
    config["tokenizer"] = {"train": {"vocabulary_size": 512}}
    with pytest.raises(ConfigError, match=rf"are token files \({domain}\), found train"):
        complete_config(config)
    config["tokenizer"] = {"file": "earlier/tokenizer.json"}
    complete_config(config)
    config["domains"][domain] = source(workplace) | {"max_tokens": 100}
    with pytest.raises(ConfigError, match="max_tokens: unknown key"):
        complete_config(config)


def test_documents_without_text_are_not_compared(workplace):
    files = [workplace.folder / f"tokens/{name}/validation.json" for name in ("web", "test")]
    manifests = [read_manifest(path) for path in files]
    table = contamination_table(
        workplace.duplicates, manifests, Roles(["web", "code"], without_text=["web"])
    )
    pairs = list(zip(table["validation_domain"], table["training_domain"], strict=True))
    assert pairs == [("test", "code")]
    (finding,) = contamination_findings(table, ["web"])
    assert finding.tone == "caution"
    assert finding.text.startswith("web: given as token files")
    assert all(each.tone == "good" for each in contamination_findings(table, []))


def test_an_experiment_of_token_files_alone(workplace, tmp_path):
    find_duplicates({}, near="all", output=tmp_path / "duplicates.parquet")
    manifests = [read_manifest(workplace.folder / "tokens/web/validation.json")]
    table = contamination_table(
        tmp_path / "duplicates.parquet", manifests, Roles(["web"], without_text=["web"])
    )
    assert table.empty
    table.to_csv(tmp_path / "contamination.csv", index=False)
    read = pd.read_csv(tmp_path / "contamination.csv")
    (finding,) = contamination_findings(read, ["web"])
    assert "web: given as token files" in finding.text
