"""Mutation run: a fixed sample of mutmut's mutants, against the mirrored tests of each module.

    python tests/mutants.py MUTMUT_PYTHON [MODULE...]     all of MODULES unless some are named

mutmut samples by no seed, so its mutations are listed with its own functions, by the Python that
has it, and SAMPLE of each module are drawn with SEED. Each is put into a copy of the project. All
are shown, with the tests that ran; the last line is the share that some test noticed.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SEED, SAMPLE, SECONDS = 0, 8, 300
MODULES = ("laws", "mixtures", "decision", "training/batches.py", "losses/arrays.py")
LIST = """
import json, sys
from mutmut.mutation.file_mutation import create_mutations, deep_replace
path = sys.argv[1]
module, found, *_ = create_mutations(path, open(path).read())
show = lambda node: module.code_for_node(node).strip()
print(json.dumps([
    {"before": show(each.original_node), "after": show(each.mutated_node),
     "code": deep_replace(module, each.original_node, each.mutated_node).code}
    for each in found
]))
"""


def files_of(names):
    """Return the modules of the package that the names stand for, without empty ones."""
    for name in names:
        path = ROOT / "mixlaws" / name
        files = [path] if path.suffix else sorted(path.rglob("*.py"))
        yield from (each for each in files if "def " in each.read_text())


def sample(python, path):
    """Return the mutants of a module that are drawn."""
    command = [python, "-c", LIST, str(path)]
    with (
        tempfile.TemporaryDirectory() as folder
    ):  # mutmut looks for its configuration when imported
        (Path(folder) / "setup.cfg").write_text("[mutmut]\nsource_paths=.\n")
        told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    found = json.loads(told.stdout)
    # Equal code is one mutant; mutants of annotations alone change nothing that runs.
    found = list({each["code"]: each for each in found}.values())
    draw = random.Random(f"{SEED} {path.relative_to(ROOT)}")
    return draw.sample(found, min(SAMPLE, len(found)))


def tests_of(path):
    """Return the mirrored test file of a module, or the mirrored folder."""
    folder = ROOT / "tests" / path.relative_to(ROOT / "mixlaws").parent
    exact = folder / f"test_{path.stem}.py"
    return (exact if exact.exists() else folder).relative_to(ROOT)


def survives(copy, path, tests, code):
    """Return whether the tests pass with other code in a module of the copy."""
    inside = copy / path.relative_to(ROOT)
    inside.write_text(code)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", str(tests)]
    command += ["-m", "not slow and not full and not trials"]
    environment = os.environ | {"PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"}
    try:
        run = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    finally:
        inside.write_text(path.read_text())
    return run.returncode == 0


def main(python, *names):
    """Run the sample of every module and show each mutant."""
    survived = total = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
        for name in filter(lambda name: (ROOT / name).is_file(), listed.stdout.splitlines()):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
        for path in files_of(names or MODULES):
            tests, name = tests_of(path), path.relative_to(ROOT)
            if not survives(copy, path, tests, path.read_text()):
                print(f"NOT TRIED {name}: {tests} fails without a mutant")
                continue
            assert not survives(copy, path, tests, "raise ValueError\n"), f"{tests} runs other code"
            for mutant in sample(python, path):
                total += 1
                is_alive = survives(copy, path, tests, mutant["code"])
                survived += is_alive
                words = "SURVIVED" if is_alive else "died"
                changed = f"{mutant['before']!r} -> {mutant['after']!r}"
                print(f"{words} {name} ({tests}): {changed}", flush=True)
    print(f"{total - survived} of {total} mutants died: {1 - survived / total:.1%}")


if __name__ == "__main__":
    main(*sys.argv[1:])
