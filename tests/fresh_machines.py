"""Run the smallest experiment on machines as users have them, and print a table: `make trials`.

Needs root (for a user of its own), Linux, git and a package index; takes some fifteen minutes. The
first case installs and runs the whole experiment, the others read its text and train one model. A
case passes if it gets there, or if one line says what is missing.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
USER = "mixlaws-trial"
SMOKE = "--configfile tests/workflow/smoke.yaml"
ONE_RUN = "results/smoke/runs/2K/uniform/seed-0/losses.csv"
WHOLE = f'make resume ARGS="{SMOKE}" && .venv/bin/mixlaws show {SMOKE}'
SMALL = f'make resume ARGS="{ONE_RUN} {SMOKE}" && .venv/bin/mixlaws status {SMOKE} | head -1'
REACHED = {"page ": "the answer", "smoke: 14 runs: 1 done": "text read, a model trained"}
"""How the last line begins, by what was reached."""
REFUSALS = (
    "There is no ",
    "Python must be ",
    "Snakemake cannot start Python from a path with a space. ",
    "The installation failed: ",
)
MINUTES = 20
GIB = 1 << 30


@dataclass(frozen=True)
class Machine:
    """A folder, and a user who owns it and has nothing else."""

    folder: Path
    home: Path

    def project(self, name: str, *, installed: Path | None = None) -> Path:
        """Unpack the tarball into a folder; share the environment of another one, if given."""
        project = self.folder / name
        project.mkdir(parents=True)
        run("tar", "-xf", self.folder / "mixlaws.tar", "-C", project)
        if installed:
            (project / ".venv").symlink_to(installed / ".venv")
        run("chown", "-RhP", USER, project)
        return project

    def call(
        self, project: Path, command: str, *, home: Path | None = None, before: str = ""
    ) -> str:
        """Run a shell command as the user; return what it printed, and its status if not 0.

        `before` is a command of root that runs the user's, such as `unshare --net`.
        """
        kept = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_", "http"))}
        variables = kept | {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home or self.home)}
        given = " ".join(f"{k}={shlex.quote(v)}" for k, v in variables.items())
        inner = f"cd {shlex.quote(str(project))} && env -i {given} sh -c {shlex.quote(command)}"
        full = [*before.split(), "su", USER, "--shell", "/bin/sh", "--command", inner]
        found = subprocess.run(
            full,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60 * MINUTES,
        )
        return found.stdout + (f"\nstatus {found.returncode}" if found.returncode else "")


def run(*command: object, **options: object) -> None:
    """Run a command of this script's own; stop if it fails."""
    subprocess.run([str(part) for part in command], check=True, **options)  # type: ignore[call-overload]


def a_new_user(machine: Machine) -> str:
    """Install from a tarball without git, without root, and run."""
    return machine.call(machine.project("first"), f"make .venv/.installed && {WHOLE}")


def a_letter_beyond_ascii(machine: Machine) -> str:
    """The same in a folder whose name has a letter beyond ASCII."""
    return machine.call(machine.project("donn\u00e9es"), f"make .venv/.installed && {SMALL}")


def a_space(machine: Machine) -> str:
    """A folder whose name has a space, which Snakemake cannot start Python from."""
    return machine.call(machine.project("mix laws"), "make demo PYTHON=/usr/bin/python3")


def a_read_only_home(machine: Machine) -> str:
    """A home that nobody may write to."""
    home = machine.folder / "home-of-root"
    home.mkdir(mode=0o555)
    return machine.call(shared(machine, "read-only-home"), SMALL, home=home)


def another_directory(machine: Machine) -> str:
    """Results elsewhere, by --directory, in a folder with a space and a letter beyond ASCII."""
    arguments = f"--directory '../else where \u00e9' {SMOKE}"
    command = f".venv/bin/snakemake {ONE_RUN} --cores all --quiet rules host {arguments}"
    project = shared(machine, "directory/project")
    run("chown", USER, project.parent)
    return machine.call(project, f"{command} && .venv/bin/mixlaws status {arguments} | head -1")


def offline(machine: Machine) -> str:
    """No network at all after the installation."""
    return machine.call(shared(machine, "offline"), SMALL, before="unshare --net")


def a_small_machine(machine: Machine) -> str:
    """One core; 4 GiB of address space for each process."""
    limits = f"taskset --cpu-list 0 prlimit --as={4 * GIB}"
    return machine.call(shared(machine, "small"), SMALL, before=limits)


def without_python(machine: Machine) -> str:
    """No python3."""
    return machine.call(machine.project("no-python"), "make demo PYTHON=no-python3")


def an_old_python(machine: Machine) -> str:
    """A python3 that is too old."""
    project = machine.project("old-python")
    text = "import sys; sys.version_info = (3, 9); exec(sys.argv.pop())"
    python = project / "python3"
    python.write_text(f'#!/bin/sh\nshift; exec /usr/bin/python3 -c "{text}" "$@"\n')
    python.chmod(0o755)
    return machine.call(project, "make demo PYTHON=./python3")


def without_an_index(machine: Machine) -> str:
    """No network before the installation."""
    options = "PIP_RETRIES=0 PIP_CONFIG_FILE=/dev/null PIP_NO_CACHE_DIR=1"
    options += " PIP_FIND_LINKS= PIP_EXTRA_INDEX_URL="
    command = f"{options} make demo PYTHON=/usr/bin/python3"
    return machine.call(machine.project("no-index"), command, before="unshare --net")


def shared(machine: Machine, name: str) -> Path:
    """Return a project with the environment that the first case installed."""
    return machine.project(name, installed=machine.folder / "first")


CASES: dict[str, Callable[[Machine], str]] = {
    "new user without root, tarball without git": a_new_user,
    "path with a letter beyond ASCII": a_letter_beyond_ascii,
    "path with a space": a_space,
    "read-only home": a_read_only_home,
    "`--directory` elsewhere, with a space and a letter beyond ASCII": another_directory,
    "offline after the installation": offline,
    "1 core, 4 GiB": a_small_machine,
    "no Python": without_python,
    "Python 3.9": an_old_python,
    "offline before the installation": without_an_index,
}


def outcome(output: str) -> tuple[bool, str]:
    """Return whether a case passed, and what the user is told in the end."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if not lines[-1].startswith("status "):
        found = [said for start, said in REACHED.items() if lines[-1].startswith(start)]
        return bool(found), [*found, lines[-1]][0]
    said = [line for line in lines[:-1] if not line.startswith("make: ")]
    last = said[-1] if said else "nothing"
    return last.startswith(REFUSALS), last


def main() -> int:
    """Run every case and print the table; return 1 if one failed."""
    if os.geteuid() != 0:
        sys.exit("make trials needs root: it makes a user of its own")
    wanted = sys.argv[1:]
    folder = Path(tempfile.mkdtemp(prefix="mixlaws-trials-"))
    folder.chmod(0o755)
    failed = 0
    try:
        pwd.getpwnam(USER)
    except KeyError:
        run("useradd", "--no-create-home", USER)
    try:
        home = folder / "home"
        home.mkdir()
        run("chown", USER, home)
        with (folder / "mixlaws.tar").open("wb") as file:
            run("git", "archive", "HEAD", cwd=ROOT, stdout=file)
        machine = Machine(folder, home)
        print("| machine | what the user sees in the end | minutes |\n|---|---|---|", flush=True)
        for name, case in CASES.items():
            if wanted and case.__name__ not in wanted:
                continue
            began = time.monotonic()
            output = case(machine)
            passed, said = outcome(output)
            failed += not passed
            (folder / f"{case.__name__}.log").write_text(output)
            minutes = (time.monotonic() - began) / 60
            print(
                f"| {name} | {said if passed else f'FAILED: {said}'} | {minutes:.1f} |", flush=True
            )
    finally:
        run("userdel", USER)
        if not failed:
            shutil.rmtree(folder)
        else:
            print(f"the output of every case is in {folder}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
