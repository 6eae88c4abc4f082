"""The data that the page embeds for its explorer, and the policy of its script."""

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from fixture_truth import TARGET_TOKENS

from mixlaws.figures import draw_figures
from mixlaws.files import read_json, write_json
from mixlaws.report.explore.payload import embed_json, pack
from mixlaws.report.explore.script import content_policy, data_link, page_script
from mixlaws.report.page import write_report


class Scripts(HTMLParser):
    """The script elements of a page, as a browser finds them, and its policy."""

    def __init__(self, page):
        super().__init__()
        self.found, self.policy, self.open = [], None, False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if tag == "script":
            self.open = True
            self.found.append([named, ""])
        if named.get("http-equiv") == "Content-Security-Policy":
            self.policy = named["content"]

    def handle_endtag(self, tag):
        self.open = self.open and tag != "script"

    def handle_data(self, data):
        if self.open:
            self.found[-1][1] += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_results):
    folder = tmp_path_factory.mktemp("page")
    config = write_results(folder)
    draw_figures(folder, config, folder / "figures")
    (folder / "config.json").write_text(json.dumps(config))  # in the order of the config
    return folder


def write_page(folder):
    write_report(folder, read_json(folder / "config.json"), folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_policy_allows_the_one_script_of_the_page(folder):
    scripts = Scripts(write_page(folder))
    (data, script) = scripts.found
    assert data[0] == {"type": "application/json", "id": "explore-data"}
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert scripts.policy == (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert scripts.policy == content_policy(page_script())


def test_the_data_hold_the_law_and_the_mixtures(folder):
    record = json.loads(Scripts(write_page(folder)).found[0][1])
    optimum, law = read_json(folder / "optimum.json"), read_json(folder / "laws" / "law.json")
    assert record["domains"] == ["python", "docs", "cpp"]
    assert record["validation_domains"] == ["python", "docs", "cpp", "tests", "rst"]
    assert record["weights"] == pytest.approx([0.15, 0.7, 0.15, 0, 0])
    names = [each["name"] for each in record["mixtures"] if each["kind"] == "compared"]
    assert names == ["optimum", "uniform", "natural", "best_observed"]
    trained = [each["name"] for each in record["mixtures"] if each["kind"] == "trained"]
    assert trained == [f"mix-{k:03d}" for k in range(1, 9)] + ["held-001", "held-002"]
    shares = [optimum["proportions"][name] for name in record["domains"]]
    assert record["mixtures"][0]["shares"] == record["limits"]["inside"] == shares
    packed = record["laws"][0]["parameters"]["E"]
    expected = [law["laws"][0]["parameters"]["E"][row] for row in record["validation_domains"]]
    assert np.frombuffer(base64.b64decode(packed[2:])).tolist() == expected
    assert record["replicates"]["count"] == 10
    assert len(record["grid"]["num_params"]) == len(record["grid"]["tokens"]) == 5
    assert TARGET_TOKENS in record["grid"]["tokens"]


def test_names_cannot_end_the_script_element():
    record = {"</script><script>alert(1)</script>": "<!-- & \u2028"}
    text = embed_json(record)
    assert not set(text) & set("<>&\u2028")
    assert json.loads(text) == record


def test_a_law_that_the_page_cannot_evaluate_leaves_a_sentence(folder, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in folder.iterdir():
        if path.name != "laws":
            (copy / path.name).symlink_to(path)
    (copy / "laws").mkdir()
    for path in (folder / "laws").iterdir():
        (copy / "laws" / path.name).symlink_to(path)
    law = read_json(folder / "laws" / "law.json")
    law["laws"][0]["name"] = "boosted"
    (copy / "laws" / "law.json").unlink()
    write_json(law, copy / "laws" / "law.json")
    page = write_page(copy)
    assert [script[0] for script in Scripts(page).found] == [{}]
    words = re.sub(r"\s+", " ", page)
    assert (
        "Sliders are not available for this experiment. The page cannot evaluate the law boosted. "
        "Its parameters are in laws/law.json." in words
    )


def test_an_array_is_packed_row_by_row():
    values = np.array([[1.5, -2.0], [0.25, 3.0]])
    assert pack(values) == f"d:{base64.b64encode(values.tobytes()).decode()}"
    single = pack(np.asfortranarray(values), single=True)
    assert np.frombuffer(base64.b64decode(single[2:]), "<f4").tolist() == [1.5, -2.0, 0.25, 3.0]


def test_a_large_table_is_compressed_in_the_page(tmp_path):
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    small.write_text("a,b\n1,2\n")
    large.write_text("a,b\n" + "1,2\n" * 50_000)
    name, address = data_link(small)
    assert (name, address.split(",")[0]) == ("small.csv", "data:text/csv;charset=utf-8;base64")
    assert base64.b64decode(address.split(",")[1]) == small.read_bytes()
    name, address = data_link(large)
    assert (name, address.split(",")[0]) == ("large.csv.gz", "data:application/gzip;base64")
    assert gzip.decompress(base64.b64decode(address.split(",")[1])) == large.read_bytes()
    assert data_link(tmp_path / "absent.csv") is None
