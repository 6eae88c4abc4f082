"""Readers of published runs, on small logs written here."""

import copy
import http.server
import threading
from functools import partial

import numpy as np
import pytest

from mixlaws.errors import ConfigError, DataError
from mixlaws.files import file_sha256
from mixlaws.losses.arrays import make_observations
from mixlaws.losses.downloads import published_files
from mixlaws.losses.readers import READERS
from mixlaws.paper.points import target_at
from mixlaws.paper.studies import study_options
from mixlaws.runs.schedules import Cosine


def line(run, step, domain, loss, size="70M"):
    return f"/ckpts/base//{size}_RP_{run}/{step}\t/data/pile.valid.{domain}.bin\t{loss}\n"


def log_text(size="70M"):
    return "".join(
        line(run, step, domain, 3.0 + index / 10 + 100 / step, size)
        for index, run in enumerate(["0-0.5-0.5", "1-0.25-0.75", "7-0.75-0.245"])
        for step in (100, 200)
        for domain in ("Github", "Pile-CC")
    )


STUDY = {
    "files": {"70M": "70M.txt"},
    "domains": ["code", "web"],
    "tokens_per_step": 10,
    "schedule": {"warmup_steps": 10, "num_steps": 1000, "final": 0.1},
    "validation_weights": {"Pile-CC": 3, "Github": 1},
    "base_model": None,
    "names": {"7": "default"},
    "corrections": [
        {
            "name": "typing slip",
            "enabled": True,
            "kind": "share",
            "run": 7,
            "domain": "web",
            "published": 0.245,
            "corrected": 0.25,
        }
    ],
}
PUBLISHED = {
    "vocabulary_size": 100,
    "sequence_length": 4,
    "sizes": {"70M": {"num_layers": 2, "model_width": 8, "num_params": 1000}},
    "studies": {"small": STUDY},
}


def read(tmp_path, text, **changes):
    path = tmp_path / "70M.txt"
    path.write_text(text)
    published = copy.deepcopy(PUBLISHED)
    published["studies"]["small"] |= changes
    return READERS["data_mixing_laws"](study_options(published, "small"), {"70M.txt": path})


def test_losses_and_arrays(tmp_path):
    study = read(tmp_path, log_text())
    assert study.weights == {"Pile-CC": 0.75, "Github": 0.25}
    assert study.mixtures["kind"].tolist() == ["sample"] * 3
    assert list(study.mixtures["id"]) == ["mix-000", "mix-001", "default"]
    observations = make_observations(study)
    assert observations.validation_domains == ("Pile-CC", "Github")
    assert observations.losses.shape == (6, 2)
    row = (observations.mixture == "mix-001") & (observations.step == 200)
    assert observations.losses[row] == pytest.approx(np.array([[3.6, 3.6]]))
    assert observations.tokens[row] == pytest.approx([2000.0])
    assert observations.compute_params[row] == pytest.approx([1000 + 100 * 8 + 2 * 4 * 8])
    expected, depth = Cosine(10, 1000, 0.1).state([200], 10)
    assert observations.effective_tokens[row] == pytest.approx(expected)
    assert observations.annealing[row] == pytest.approx(depth)
    assert target_at(study, "70M", 200).effective_tokens == pytest.approx(expected[0])


def test_corrected_share_leaves_the_simplex_exact(tmp_path):
    study = read(tmp_path, log_text())
    default = study.mixtures.set_index("id").loc["default"]
    assert (default["r_code"], default["r_web"]) == (0.75, 0.25)


def test_unknown_schedule_means_plain_tokens(tmp_path):
    observations = make_observations(read(tmp_path, log_text(), schedule=None))
    assert (observations.effective_tokens == observations.tokens).all()
    assert not observations.annealing.any()


def test_mixtures_are_compared_as_numbers(tmp_path):
    text = (
        log_text() + line("9-0.50-.5", 300, "Github", 3.0) + line("9-.5-0.500", 300, "Pile-CC", 3)
    )
    study = read(tmp_path, text)
    assert len(study.mixtures) == 3
    seeds = study.losses[study.losses["mixture"] == "mix-000"].groupby("seed")["step"].max()
    assert seeds.to_dict() == {0: 200, 1: 300}


def test_repeated_lines_are_dropped(tmp_path):
    assert len(read(tmp_path, log_text() * 2).losses) == 12


def test_contradicting_lines_are_refused(tmp_path):
    text = log_text() + line("0-0.5-0.5", 100, "Github", 3.5)
    message = r"2 lines contradict .*70M run 0 step 100 Github: 4.0; .*Github: 3.5"
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)


def test_incomplete_and_pseudo_steps_are_dropped_and_listed(tmp_path):
    text = (
        log_text()
        + line("0-0.5-0.5", 300, "Github", 3.0)
        + line("1-0.25-0.75", "last", "Github", 3)
    )
    study = read(tmp_path, text)
    assert len(study.losses) == 12
    listed = study.dropped.set_index("reason")
    assert listed.loc["validation domains missing", ["run", "step"]].tolist() == [0, 300]
    assert listed.loc["pseudo-step `last`", "run"] == 1


def test_a_run_without_a_validation_domain_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no loss of Pile-CC at \['70M', 'mix-000', 1, 300\]"):
        read(tmp_path, log_text() + line("2-0.5-0.5", 300, "Github", 3.0))


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        ("/ckpts/70M_RP_0-0.5-0.5/100\t/data/pile.va", r":13 has 2 fields instead of 3"),
        (line("0-0.5-0.5", 100, "Github", "3.o"), r"70M.txt:13 has the loss '3.o'"),
        (line("0-0.5-0.5", 100, "Github", "nan"), r"has the loss 'nan', which is not a positive"),
        (line("0-0.5-0.5", "best", "Github", 3), r"does not end in .*'70M_RP_0-0.5-0.5/best'"),
        ("/ckpts/pythia\t/data/a.valid.Github.bin\t3.0", r"'ckpts/pythia'. .*base_model"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, damaged, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, log_text() + damaged)


def test_base_model_is_kept_apart(tmp_path):
    text = log_text() + "".join(
        f"/ckpts/pythia\t/data/a.valid.{domain}.bin\t2.5\n" for domain in ("Github", "Pile-CC")
    )
    study = read(tmp_path, text, base_model="pythia")
    assert study.base_losses == {"Github": 2.5, "Pile-CC": 2.5}
    assert len(study.losses) == 12


def test_proportions_off_the_simplex_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"do not sum to 1 within 0.005: run 7: 0.985"):
        read(tmp_path, log_text().replace("0.245", "0.235"), corrections=[])


def correction(**changes):
    return [STUDY["corrections"][0] | changes]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run": 8}, r"'typing slip' is for run 8, which no log contains"),
        ({"published": 0.3}, r"replaces a web share of 0.3, while the log has 0.245"),
    ],
)
def test_a_correction_that_finds_nothing_is_refused(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, log_text(), corrections=correction(**changes))


def test_column_order_correction(tmp_path):
    reorder = {"name": "o", "enabled": True, "kind": "order", "run": 1, "order": ["web", "code"]}
    study = read(tmp_path, log_text(), corrections=[*STUDY["corrections"], reorder])
    assert study.mixtures.set_index("id").loc["mix-001", "r_code"] == 0.75


def test_leave_out_correction_is_listed(tmp_path):
    leave_out = {"name": "gaps", "enabled": True, "kind": "leave_out", "run": 1}
    study = read(tmp_path, log_text(), corrections=[*STUDY["corrections"], leave_out])
    assert set(study.losses["mixture"]) == {"mix-000", "default"}
    assert study.dropped["reason"].tolist() == ["gaps", "gaps"]


def test_a_disabled_correction_does_nothing(tmp_path):
    text = log_text().replace("0.245", "0.246")
    study = read(tmp_path, text, corrections=correction(enabled=False))
    default = study.mixtures.set_index("id").loc["default"]
    assert default["r_web"] == pytest.approx(0.246 / 0.996)


def test_weights_must_match_the_logs(tmp_path):
    with pytest.raises(ConfigError, match=r"Books3, Github are in only one of the two"):
        read(tmp_path, log_text(), validation_weights={"Pile-CC": 1, "Books3": 1})


def test_number_of_domains_must_match(tmp_path):
    with pytest.raises(ConfigError, match=r"name 2 proportions for 3 domains"):
        read(tmp_path, log_text(), domains=["a", "b", "c"], corrections=[])


# --- files --------------------------------------------------------------------------------------


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "data").mkdir(parents=True)
    (folder / "data/70M.txt").write_text(log_text())
    return folder


def sums(folder):
    return {"data/70M.txt": file_sha256(folder / "data/70M.txt")}


def test_local_copy(source, tmp_path):
    published = {"folder": str(source), "files": sums(source)}
    assert published_files(published, tmp_path) == {"data/70M.txt": source / "data/70M.txt"}


def test_a_tampered_local_copy_is_refused(source, tmp_path):
    published = {"folder": str(source), "files": sums(source)}
    expected = published["files"]["data/70M.txt"]
    (source / "data/70M.txt").write_text(log_text().replace("3.5", "3.6"))
    found = file_sha256(source / "data/70M.txt")
    message = rf"data/70M.txt in .*: expected sha256 {expected}, found {found}"
    with pytest.raises(DataError, match=message + r".*published\.folder"):
        published_files(published, tmp_path)


def test_a_missing_local_file_is_refused(source, tmp_path):
    published = {"folder": str(source), "files": {"data/160M.txt": "0" * 64}}
    with pytest.raises(DataError, match=r"data/160M.txt .* found no such file.*published\.folder"):
        published_files(published, tmp_path)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def url(source):
    handler = partial(QuietHandler, directory=str(source))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)


def test_download_is_verified_and_kept(source, url, tmp_path):
    published = {"folder": None, "url": url, "files": sums(source)}
    paths = published_files(published, tmp_path / "cache")
    assert paths["data/70M.txt"].read_text() == log_text()
    (source / "data/70M.txt").unlink()
    assert published_files(published, tmp_path / "cache") == paths


def test_a_wrong_download_is_refused(url, tmp_path):
    published = {"folder": None, "url": url, "files": {"data/70M.txt": "0" * 64}}
    message = r"data/70M.txt cannot be downloaded from http.* with sha256 0{64}: (.|\n)*got (.|\n)*"
    with pytest.raises(DataError, match=message + r"published\.folder"):
        published_files(published, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.txt"))


def test_no_network_names_the_file_and_the_key(tmp_path):
    published = {"url": "http://127.0.0.1:1", "files": {"data/70M.txt": "0" * 64}}
    with pytest.raises(
        DataError, match=r"data/70M.txt cannot be downloaded (.|\n)*published\.folder"
    ):
        published_files(published, tmp_path / "cache")
