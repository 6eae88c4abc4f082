"""What a pattern matches is read or named, and paths mean the same in every key."""

import os
import socket

import pytest
from text_workplace import sentence, write_lines

from mixlaws.errors import ConfigError, DataError
from mixlaws.text.sources.files import FilesSource, list_files
from mixlaws.text.sources.paths import expand_path
from mixlaws.text.sources.token_files import TokenFilesSource


def message_of(*patterns, kind=DataError):
    with pytest.raises(kind) as caught:
        list_files([str(pattern) for pattern in patterns])
    return str(caught.value)


@pytest.fixture
def folder(tmp_path):
    write_lines(tmp_path / "a.jsonl", [sentence(1)])
    return tmp_path


@pytest.mark.parametrize("pattern", ["*.jsonl", "b.jsonl", "**/*.jsonl"])
def test_a_link_without_target_is_named(folder, pattern):
    (folder / "b.jsonl").symlink_to("../blobs/17")
    assert message_of(folder / pattern) == (
        f"'{folder}/{pattern}' in paths matches {folder}/b.jsonl, a link to ../blobs/17, which is "
        "not there. Fetch the file (with git-annex, DVC or hf download), or remove the link"
    )


@pytest.mark.parametrize("pattern", ["*/x.jsonl", "**/*.jsonl"])
def test_a_link_to_a_folder_that_is_not_there_is_named(folder, pattern):
    (folder / "more").symlink_to("gone")
    assert f"matches {folder}/more, a link to gone, which is not" in message_of(folder / pattern)


def test_a_link_to_itself_is_named(folder):
    (folder / "b.jsonl").symlink_to("b.jsonl")
    assert "b.jsonl, a link to b.jsonl, which is not there" in message_of(folder / "*")


def test_a_link_to_a_file_is_read(folder):
    (folder / "b.jsonl").symlink_to("a.jsonl")
    assert [file.path for file in list_files([str(folder / "b*")])] == [str(folder / "b.jsonl")]


def test_a_folder_with_the_name_of_a_file_is_named(folder):
    """Spark writes a Parquet data set as a folder."""
    (folder / "x.parquet").mkdir()
    write_lines(folder / "x.parquet/part-0.jsonl", [sentence(2)])
    assert message_of(folder / "*") == (
        f"'{folder}/*' in paths matches {folder}/x.parquet, which is a folder, and none of the "
        f"files in it. Write {folder}/x.parquet/**/*.jsonl for the files in it, or narrow the "
        "pattern"
    )
    assert len(list_files([str(folder / "**/*.jsonl")])) == 2
    assert len(list_files([str(folder / "**")])) == 2


def test_an_empty_folder_hides_nothing(folder):
    (folder / "empty").mkdir()
    assert len(list_files([str(folder / "*")])) == 1
    (folder / "gone.parquet").mkdir()
    assert "matches" in message_of(folder / "*")


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_folder_as_a_path_gets_the_pattern_to_write(folder, ending):
    message = message_of(f"{folder}{ending}")
    assert f"which is a folder, and none of the files in it. Write {folder}/**/*.jsonl" in message


def test_a_folder_without_permission_is_named(folder, monkeypatch):
    """Tests run as root, whom no permission stops."""
    (folder / "closed").mkdir()
    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: "closed" not in str(path) and allowed(path, mode)
    )
    assert message_of(folder / "**/*.jsonl") == (
        f"'{folder}/**/*.jsonl' in paths leads through {folder}/closed, which cannot be listed. "
        "Check its permissions"
    )


def test_a_socket_is_named(folder, monkeypatch):
    monkeypatch.chdir(folder)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.jsonl")
        assert message_of("*") == (
            "'*' in paths matches s.jsonl, which is no regular file. Narrow the pattern"
        )


def test_a_name_that_is_not_utf8_is_named(folder):
    with open(os.fsencode(folder) + b"/caf\xe9.jsonl", "w") as file:
        file.write("{}")
    assert message_of(folder / "*") == (
        f"the file name b'caf\\xe9.jsonl' in {folder} is not UTF-8. Rename the file, for example "
        "with convmv"
    )


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("a.csv", "Narrow the pattern to files that end in .txt, .jsonl, .jsonl.gz, .jsonl.zst"),
        ("A.JSONL", "Endings are lower-case: rename it to A.jsonl"),
        ("CC-1.warc.gz", "Extract the text of web archives first, with trafilatura or datatrove"),
        ("CC-1.WET", "Extract the text of web archives first, with trafilatura or datatrove"),
    ],
)
def test_an_ending_without_reader_gets_its_remedy(tmp_path, name, remedy):
    (tmp_path / name).write_text("x")
    message = message_of(tmp_path / "*", kind=ConfigError)
    assert f"matches {tmp_path / name}, which is not in a known format. {remedy}" in message


@pytest.mark.parametrize("name", ["brace{x}.jsonl", "<x>.jsonl", "new\nline.jsonl", "~.jsonl"])
def test_any_other_name_is_data(folder, name):
    write_lines(folder / name, [sentence(2)])
    assert str(folder / name) in [file.path for file in list_files([str(folder / "*")])]


class TestPaths:
    def test_home_and_variables(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("TEXT", "/text")
        assert expand_path("~/a/*.txt", "paths") == f"{tmp_path}/a/*.txt"
        assert expand_path("$TEXT/${TEXT}", "folder") == "/text//text"
        assert expand_path("a~b/~", "paths") == "a~b/~"

    def test_a_variable_that_is_not_set_is_named(self):
        with pytest.raises(ConfigError) as caught:
            list_files(["$MIXLAWS_NOT_SET/*.txt"])
        assert str(caught.value) == (
            "the variable $MIXLAWS_NOT_SET in paths ('$MIXLAWS_NOT_SET/*.txt') is not set. Set it, "
            "or write [$] for a dollar sign in a pattern"
        )

    def test_a_dollar_sign_can_be_written(self, tmp_path):
        write_lines(tmp_path / "a$HOME.jsonl", [sentence(2)])
        assert len(list_files([f"{tmp_path}/a[$]HOME.jsonl"])) == 1

    @pytest.mark.parametrize(
        ("url", "remedy"),
        [
            ("s3://bucket/web/*.jsonl.gz", "with `aws s3 sync s3://bucket/web text/`, or mount"),
            ("gs://bucket/*.txt", "with `gcloud storage rsync -r gs://bucket text/`, or mount"),
            ("https://x.org/a.jsonl", "with a download, or mount the store"),
        ],
    )
    def test_a_url_gets_the_command(self, url, remedy):
        message = message_of(url, kind=ConfigError)
        assert f"'{url}' in paths is a URL; only files on this machine are read. Copy" in message
        assert remedy in message

    def test_token_files_too(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        for name in ("train.bin", "train.json"):
            (tmp_path / name).write_text("")
        found = TokenFilesSource(folder="~").files("train")
        assert found == (tmp_path / "train.bin", tmp_path / "train.json")


def test_a_hundred_thousand_names_are_not_opened(tmp_path):
    """Listing is not reading: what a file holds is told when its part is read."""
    (tmp_path / "a.jsonl.gz").write_bytes(b"no gzip")
    assert FilesSource(paths=[str(tmp_path / "*")]).plan_parts(1)[0].num_bytes == 7
