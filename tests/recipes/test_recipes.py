import ast
import csv
import json
import math
import re
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import yaml
from doc_pages import blocks
from scipy import stats

from mixlaws.errors import ConfigError
from mixlaws.files import write_json
from mixlaws.recipes import RECIPES
from mixlaws.recipes.documents import document_tokens
from mixlaws.recipes.mixture import LATTICE, DecidedMixture, count_parts
from mixlaws.recipes.write import write_recipes

ROOT = Path(__file__).parents[2]
NUM_DRAWS = 200_000
OPTIMUM = {
    "proportions": {"python": 0.1406, "docs": 0.6874, "cpp": 0.171995, "books": 0.0, "wiki": 5e-6},
    "target": {"size": "332K", "num_params": 331_776, "tokens": 65_536_000},
    "support": {"recommends": True, "headline": "Train on it.", "reason": "", "needs": ""},
    "named": ["ours"],
    "baselines": {
        "ours": {"proportions": {"python": 0.25, "docs": 0.75, "cpp": 0, "books": 0, "wiki": 0}}
    },
}
ROUNDED = {
    "mixture": "optimum",
    "lattice": 64,
    "proportions": {"python": 9 / 64, "docs": 44 / 64, "cpp": 11 / 64, "books": 0.0, "wiki": 0.0},
}
# In the order of optimum.json, whose keys are sorted. By hand: 65,536 r = 11,271.86, 45,049.45,
# 9,214.36 and 0.33, which gets a part of its own.
PARTS = {"books": 0, "cpp": 11_272, "docs": 45_049, "python": 9_214, "wiki": 1}
EXPECTED = {domain: parts / LATTICE for domain, parts in PARTS.items() if parts}


LENGTHS = {"cpp": 2000, "docs": 500, "python": 1000, "wiki": 250}
"""Tokens per document. By hand: the optimum's documents go as 11,272/2000 + 45,049/500 + 9,214/1000
+ 1/250 = 5.636 + 90.098 + 9.214 + .004 = 104.952."""


def write(folder: Path, optimum=OPTIMUM, lengths=None, accounting=None) -> list[Path]:
    write_json(ROUNDED, folder / "target_mixture.json")
    write_json(optimum, folder / "optimum.json")
    return write_recipes(
        mixture=folder / "target_mixture.json",
        optimum=folder / "optimum.json",
        folder=folder / "recipes",
        tokens_per_document=lengths or {},
        accounting=accounting,
    )


@pytest.fixture
def recipes(tmp_path) -> Path:
    write(tmp_path)
    return tmp_path / "recipes"


def test_hugging_face_draws_the_shares(recipes) -> None:
    """200,000 draws by the real loader follow the recipe (chi-square)."""
    datasets = pytest.importorskip("datasets")
    recipe = json.loads((recipes / "hugging_face.json").read_text())
    data = [
        datasets.Dataset.from_dict({"domain": [name] * math.ceil(1.02 * share * NUM_DRAWS + 50)})
        for name, share in zip(recipe["domains"], recipe["probabilities"], strict=True)
    ]
    mixed = datasets.interleave_datasets(
        data,
        probabilities=recipe["probabilities"],
        stopping_strategy=recipe["stopping_strategy"],
        seed=0,
    )
    assert len(mixed) >= NUM_DRAWS
    drawn = np.array(mixed.select(range(NUM_DRAWS)).with_format("arrow")[:]["domain"])
    counts = [(drawn == name).sum() for name in recipe["domains"]]
    assert dict(zip(recipe["domains"], recipe["probabilities"], strict=True)) == EXPECTED
    assert_shares_hold(counts, recipe["probabilities"])


def assert_shares_hold(counts, shares, num_draws=NUM_DRAWS) -> None:
    """Compare realised counts with shares by chi-square; tiny shares apart."""
    counts, shares = np.array(counts), np.array(shares)
    assert counts.sum() == num_draws
    expected = num_draws * shares
    large = expected >= 5  # the chi-square distribution needs this
    assert large.sum() == 3
    fair = expected[large] * counts[large].sum() / expected[large].sum()
    assert stats.chisquare(counts[large], fair).pvalue > 1e-3
    assert counts[~large].sum() <= 20


def draw(name, recipe, folder):
    """Return how often the loader of that name draws each domain, in its own environment."""
    python = ROOT / f".venv-{name}/bin/python"
    assert python.exists(), f"there is no {python}. Run make test-recipes"
    script = ROOT / f"tests/recipes/draw_{name}.py"
    found = subprocess.run(
        [python, script, recipe, str(NUM_DRAWS)], cwd=folder, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout.splitlines()[-1])


@pytest.mark.loaders
def test_litdata_draws_the_shares(recipes, tmp_path) -> None:
    counts = draw("litdata", recipes / "litgpt.json", tmp_path)
    assert_shares_hold(counts, list(EXPECTED.values()))


@pytest.mark.loaders
def test_mosaicml_streaming_draws_the_shares(recipes, tmp_path) -> None:
    """The shares of an epoch are exact; domains are repeated as often as that takes."""
    counts = draw("streaming", recipes / "mosaicml_streaming.yaml", tmp_path)
    assert_shares_hold(counts["half"], list(EXPECTED.values()), NUM_DRAWS // 2)
    assert_shares_hold(counts["epoch"], list(EXPECTED.values()))
    exact = [NUM_DRAWS * share for share in EXPECTED.values()]
    assert np.abs(np.subtract(counts["epoch"], exact)).max() < 1


def test_megatron_reads_weight_prefix_pairs(recipes) -> None:
    """As get_blend_from_list does: split at blanks, even words are weights, odd ones prefixes."""
    words = (recipes / "megatron.txt").read_text().split()
    weights, prefixes = [float(word) for word in words[0::2]], words[1::2]
    assert dict(zip(prefixes, weights, strict=True)) == {
        f"DATA/{domain}": share for domain, share in EXPECTED.items()
    }
    assert sum(weights) == 1.0


def test_olmo_core_reads_a_list_of_sources(recipes) -> None:
    """The checks of SourceMixtureConfig and SourceMixtureList."""
    sources = yaml.safe_load((recipes / "olmo_core.yaml").read_text())["sources"]
    assert all(set(source) == {"source_name", "target_ratio", "paths"} for source in sources)
    assert {source["source_name"]: source["target_ratio"] for source in sources} == EXPECTED
    assert all(0 < source["target_ratio"] <= 1 for source in sources)
    assert sum(source["target_ratio"] for source in sources) == 1.0
    assert sources[0]["paths"] == ["DATA/cpp/*.npy"]


def test_nanotron_reads_a_data_stage(recipes) -> None:
    (stage,) = yaml.safe_load((recipes / "nanotron.yaml").read_text())["data_stages"]
    assert set(stage) == {"name", "start_training_step", "data"}
    dataset = stage["data"]["dataset"]
    assert dataset["dataset_folder"] == [f"DATA/{domain}" for domain in EXPECTED]
    assert dataset["dataset_weights"] == list(EXPECTED.values())
    assert sum(dataset["dataset_weights"]) == 1.0


def test_levanter_has_one_weight_per_config(recipes) -> None:
    """The check of LMMixtureDatasetConfig: configs and weights have the same names."""
    data = yaml.safe_load((recipes / "levanter.yaml").read_text())["data"]
    assert data["train_weights"] == EXPECTED
    assert set(data["configs"]) == set(EXPECTED)
    assert data["configs"]["cpp"] == {"train_urls": ["DATA/cpp/*.jsonl.gz"]}
    assert data["stop_strategy"] == "restart"


def test_litgpt_has_one_weight_per_folder(recipes) -> None:
    record = json.loads((recipes / "litgpt.json").read_text())
    assert record["input_dirs"] == [f"DATA/{domain}" for domain in EXPECTED]
    assert record["weights"] == list(EXPECTED.values())
    assert record["iterate_over_all"] is False


def test_streaming_has_one_stream_per_domain(recipes) -> None:
    """The arguments of Stream, by name, as LLM Foundry has them."""
    streams = yaml.safe_load((recipes / "mosaicml_streaming.yaml").read_text())["streams"]
    assert {name: stream.pop("proportion") for name, stream in streams.items()} == EXPECTED
    assert streams["cpp"] == {"local": "DATA/cpp"}


def test_plain_files_count_tokens(recipes) -> None:
    record = json.loads((recipes / "mixture.json").read_text())
    assert record["unit"] == "share of training tokens"
    assert record["counts"] == PARTS
    assert record["tokens"] == {domain: 1000 * parts for domain, parts in PARTS.items()}
    assert sum(record["tokens"].values()) == record["total_tokens"] == 65_536_000
    with (recipes / "mixture.csv").open() as file:
        rows = {row["domain"]: row for row in csv.DictReader(file)}
    assert {domain: int(row["parts"]) for domain, row in rows.items()} == PARTS
    assert float(rows["cpp"]["share"]) == EXPECTED["cpp"]
    assert rows["wiki"]["tokens"] == "1000"


def test_guide_says_what_a_weight_is_and_names_every_file(recipes) -> None:
    guide = (recipes / "README.md").read_text()
    assert "share of training *tokens*" in guide
    assert "The tokens per document of cpp, docs, python, wiki are not known" in guide
    assert "`hugging_face.json`, Hugging Face datasets (share of training tokens): " in guide
    assert "| docs | 0.687393 | 45,049 | 45,049,000 | 0.6875 |" in guide
    assert "1/64, which a confirmation trains on; no share of\nit differs from" in guide
    files = {path.name for path in recipes.iterdir() if path.is_file()} - {"README.md"}
    assert files == {recipe.file_name for recipe in RECIPES}
    assert len(files) == 9
    assert all(f"`{name}`" in guide for name in files)


@pytest.mark.parametrize("lattice", [7, 60, 64, LATTICE])
def test_parts_sum_exactly_and_no_positive_share_becomes_nothing(lattice) -> None:
    generator = np.random.default_rng(lattice)
    for _ in range(200):
        shares = generator.dirichlet(np.full(5, 0.3))
        shares[shares < 1e-7] = 0.0
        proportions = dict(zip("abcde", (shares / shares.sum()).tolist(), strict=True))
        counts = count_parts(proportions, lattice)
        assert sum(Fraction(count, lattice) for count in counts.values()) == 1
        assert all((counts[name] > 0) == (share > 0) for name, share in proportions.items())
        if lattice == LATTICE:
            off = [abs(counts[name] - share * lattice) for name, share in proportions.items()]
            assert max(off) < 5


def test_a_share_of_seven_thousandths_stays() -> None:
    """On the 1/64 lattice it became 0."""
    target = {"tokens": 10**9}
    decided = DecidedMixture.of({"proportions": {"a": 0.993, "b": 0.007}, "target": target})
    assert decided.name == "optimum"
    assert decided.counts == {"a": 65_077, "b": 459}


def test_writing_twice_gives_the_same_bytes(tmp_path) -> None:
    first, second = (write(tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize("proportions", [{"a": 0.25, "b": 0.5}, {"a": -0.25, "b": 1.25}])
def test_proportions_that_are_none_are_refused(tmp_path, proportions) -> None:
    with pytest.raises(ConfigError, match=r"optimum do not sum to 1 or are below 0: .* Rerun find"):
        write(tmp_path, OPTIMUM | {"proportions": proportions})


def test_the_readme_says_when_the_mixture_is_no_recommendation(tmp_path, recipes) -> None:
    assert "Not a recommendation" not in (recipes / "README.md").read_text()
    support = {"recommends": False, "headline": "Unknown.", "reason": "Far.", "needs": "More."}
    write(tmp_path / "far", OPTIMUM | {"support": support})
    words = (tmp_path / "far" / "recipes" / "README.md").read_text()
    assert words.startswith("**Not a recommendation.** Unknown. Far. More.\n\n# The mixture")


def test_the_page_names_every_recipe(root) -> None:
    page = (root / "docs/recipes.md").read_text()
    assert all(f"`{recipe.file_name}`" in page for recipe in RECIPES)


def test_shares_of_documents_give_the_shares_of_tokens(tmp_path) -> None:
    write(tmp_path, lengths=LENGTHS)
    recipe = json.loads((tmp_path / "recipes/hugging_face.json").read_text())
    assert recipe["unit"] == "share of documents"
    assert recipe["tokens_per_document"] == [2000, 500, 1000, 250]
    assert recipe["probabilities_of_packed_sequences"] == list(EXPECTED.values())
    drawn = dict(zip(recipe["domains"], recipe["probabilities"], strict=True))
    assert sum(drawn.values()) == 1.0
    by_hand = {"cpp": 5.636, "docs": 90.098, "python": 9.214, "wiki": 0.004}
    assert drawn == pytest.approx({k: v / 104.952 for k, v in by_hand.items()}, abs=2**-23)
    tokens = {domain: share * LENGTHS[domain] for domain, share in drawn.items()}
    total = sum(tokens.values())
    assert {k: v / total for k, v in tokens.items()} == pytest.approx(EXPECTED, rel=1e-3)
    plain = json.loads((tmp_path / "recipes/mixture.json").read_text())
    assert (plain["document_shares"], plain["unit"]) == (drawn, "share of training tokens")
    streams = yaml.safe_load((tmp_path / "recipes/mosaicml_streaming.yaml").read_text())
    for key, shares in {"streams": EXPECTED, "streams_of_documents": drawn}.items():
        assert {name: each["proportion"] for name, each in streams[key].items()} == shares
    guide = (tmp_path / "recipes/README.md").read_text()
    assert "| docs | 0.687393 | 45,049 | 45,049,000 | 0.858469 | 0.6875 |" in guide
    assert "per document: cpp 2,000.0, docs 500.0, python 1,000.0, wiki 250.0." in guide
    assert "`hugging_face.json`, Hugging Face datasets (share of documents): " in guide
    assert "`megatron.txt`, Megatron-LM (share of training tokens): " in guide


def test_documents_of_many_lengths_drawn_by_the_real_loader(tmp_path) -> None:
    """Tokens of 100,000 documents that interleave_datasets draws follow the mixture within 1 %."""
    datasets = pytest.importorskip("datasets")
    write(tmp_path, lengths=LENGTHS)
    recipe = json.loads((tmp_path / "recipes/hugging_face.json").read_text())
    sizes = [math.ceil(share * 110_000 + 300) for share in recipe["probabilities"]]
    data = [
        datasets.Dataset.from_dict({"num_tokens": [tokens] * size})
        for tokens, size in zip(recipe["tokens_per_document"], sizes, strict=True)
    ]
    options = {key: recipe[key] for key in ("probabilities", "stopping_strategy")}
    mixed = datasets.interleave_datasets(data, seed=0, **options)
    drawn = np.array(mixed.select(range(100_000)).with_format("arrow")[:]["num_tokens"])
    for domain, share in EXPECTED.items():
        found = drawn[drawn == LENGTHS[domain]].sum() / drawn.sum()
        assert found == pytest.approx(share, abs=0.01), domain


def test_unknown_lengths_are_said_in_the_file(tmp_path) -> None:
    write(tmp_path, lengths={"cpp": 2000, "docs": 500})
    recipe = json.loads((tmp_path / "recipes/hugging_face.json").read_text())
    assert recipe["unit"] == "share of training tokens"
    assert recipe["not_for_documents"] == (
        "The tokens per document of python, wiki are not known: these are shares of tokens. Give "
        "the loader packed sequences of one length, or state recipes.tokens_per_document"
    )
    text = (tmp_path / "recipes/mosaicml_streaming.yaml").read_text()
    assert (
        "# Not for whole documents: the tokens per document of python, wiki are not known." in text
    )
    assert set(yaml.safe_load(text)) == {"streams"}
    plain = json.loads((tmp_path / "recipes/mixture.json").read_text())
    assert plain["document_shares"] is None


def test_lengths_are_counted_and_a_stated_one_comes_first(tmp_path) -> None:
    table = tmp_path / "accounting.csv"
    rows = ["web,train,812.5", "web,validation,3", "code,train,99", "given,train,"]
    table.write_text("\n".join(["domain,split,tokens_per_document", *rows]) + "\n")
    names = ["web", "code", "given"]
    assert document_tokens({}, table, names) == {"web": 812.5, "code": 99.0}
    assert document_tokens({"code": 120}, table, names) == {"web": 812.5, "code": 120}
    assert document_tokens({"code": 120}, None, names) == {"code": 120}
    with pytest.raises(ConfigError, match=r"tokens_per_document names maths, which are no domains"):
        document_tokens({"maths": 7}, table, names)


def test_a_named_mixture_has_recipes_in_its_folder(tmp_path) -> None:
    files = write(tmp_path, lengths={"python": 1000, "docs": 500})
    own = tmp_path / "recipes/ours"
    assert {path.name for path in own.iterdir()} == {path.name for path in files}
    assert (own / "megatron.txt").read_text() == "0.75 DATA/docs\n0.25 DATA/python\n"
    recipe = json.loads((own / "hugging_face.json").read_text())
    assert recipe["domains"] == ["docs", "python"]
    # .75/500 to .25/1000 is 6 to 1.
    assert recipe["probabilities"] == pytest.approx([6 / 7, 1 / 7], abs=2**-23)
    assert json.loads((own / "mixture.json").read_text())["mixture"] == "ours"
    guide = (own / "README.md").read_text()
    assert "The mixture ours in parts of 1/65,536, for 65,536,000 tokens:" in guide
    assert "confirm" not in guide


def test_the_examples_of_the_page_read_the_recipes(root, recipes) -> None:
    """Each takes keys that its recipe has, and arguments that the drawing scripts take too."""
    examples = [block for block in blocks(root / "docs/recipes.md") if block.language == "python"]
    assert len(examples) == 2
    scripts = {"litgpt.json": "litdata", "mosaicml_streaming.yaml": "streaming"}
    for example in examples:
        (file,) = re.findall(r"recipes/(\S+)\"", example.text)
        recipe = yaml.safe_load((recipes / file).read_text())
        keys = re.findall(r"recipe\[\"(\w+)\"\]", example.text)
        assert keys
        assert set(keys) <= set(recipe)
        script = (root / f"tests/recipes/draw_{scripts[file]}.py").read_text()
        assert arguments(example.text) <= arguments(script)


def arguments(code) -> set[str]:
    """Return the names of the keyword arguments in code."""
    return {node.arg for node in ast.walk(ast.parse(code)) if isinstance(node, ast.keyword)}
