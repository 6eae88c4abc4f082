"""What the terminal shows: the answer once, after the run that made the page; bars with counts."""

import os
import re
import shlex
import subprocess

ANSWER = "smoke: the mixture for a model of "


def test_the_answer_is_printed_once_by_the_run_that_made_the_page(fresh, smoke):
    subprocess.run(["cp", "-a", f"{smoke.folder}/.", str(fresh.folder)], check=True)
    page = fresh.results / "report.html"
    mtime_alone = ["--rerun-triggers", "mtime"]
    page.unlink()
    assert ANSWER not in fresh.snakemake("--dry-run", *mtime_alone)
    output = fresh.snakemake(*mtime_alone)
    assert output.count(ANSWER) == 1
    (last,) = re.findall(r"\n  page +(.*)\n", output)
    assert last == "results/smoke/report.html"
    assert ANSWER not in fresh.snakemake(*mtime_alone)  # nothing to be done
    (fresh.results / "target_mixture.json").unlink()
    part = "results/smoke/target_mixture.json"
    assert ANSWER not in fresh.snakemake(*mtime_alone, "--", part)
    page.unlink()
    output = in_terminal(fresh, *mtime_alone, "--logger", "rich")
    assert output.count(ANSWER) == 1
    # A bar with its count and the time left, and no messages about house-keeping.
    assert re.search(r"write report .* 100% \d:\d\d:\d\d 1/1 +0:00:00", output)
    for words in ("eligible for caching", "Conda environments", "Building DAG of jobs"):
        assert words not in output


def in_terminal(project, *arguments):
    """Run Snakemake in a pseudo-terminal of 110 columns; return what it shows without colours."""
    command = f"stty cols 110 rows 40; {shlex.join(project.command(*arguments))}"
    found = subprocess.run(
        ["script", "--quiet", "--return", "--command", command, os.devnull],
        cwd=project.folder,
        env=project.environment() | {"TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", found.stdout)
