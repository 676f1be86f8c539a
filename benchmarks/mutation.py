"""Changes the code in small ways and counts how many of the changes the tests notice (mutation testing).

    python benchmarks/mutation.py [--only byol/augmentation pair_model] [--share 0.25] [--seed 0] [--work DIR]

mutmut (the extra `mutation`) swaps operators, changes numbers and texts, and drops or empties arguments, one at a time,
in every function of byol, evaluation and pair_model. The tests of the package, tests/<package>, are run on each of
these mutants, those tests alone that call the function. A mutant is killed if one of them fails. --share takes a random
sample of the mutants of each module. Messages and log texts are not mutated, since their wording is free.

It prints a line for each module, and the share of the killed mutants with its 95 % interval if there is a sample. The
changes that survived are in survivors.diff of the folder DIR, by default build/mutation. The verdicts are kept there: a
second call with the same sample runs the tests on the mutants that are not killed yet. --fresh starts from the
beginning. One core, 0.3 to 1 s for each mutant.
"""

import argparse
import contextlib
import json
import math
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import libcst as cst

from byol_kedro.evaluation.metrics import percent, wilson_interval

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("byol", "evaluation", "pair_model")
COPIED = ("src", "tests", "conf", "docs", "benchmarks", "pyproject.toml", "README.md", "CHANGELOG.md")
# The forks come from a process that has run no test, because lru_cache would keep what the unchanged code computed.
# Left out are tests that start processes or apply a diff to the sources, and the slowest ones of what others test too.
# Patterns are of lines: an expression that begins on such a line is not mutated.
SETTINGS = r"""
[tool.mutmut]
source_paths = ["src"]
only_mutate = {modules}
also_copy = ["conf", "docs", "benchmarks", "README.md", "CHANGELOG.md"]
pytest_add_cli_args_test_selection = ["tests/{package}"]
pytest_add_cli_args = [
    "-p", "no:cacheprovider", "--ignore-glob=*/test_adding_*",
    "-k", "not nominal_coverage and not compiled_steps and not in_parallel and not other_threads",
]
process_isolation = "forkserver"
timeout_constant = 3.0
timeout_multiplier = 5.0
do_not_mutate_patterns = ['^\s*(raise|logger\.\w+\()', '(Error|counted|error_text)\(', '^\s*f?"[^"]* [^"]*"']
"""
KILLED, SURVIVED, TIMEOUT, UNTESTED, UNKNOWN = "killed", "survived", "timed out", "no test", "unknown"
# mutmut's exit codes: pytest's, and its own from 33 on; -24 and 24 are the signal of the time limit.
VERDICTS = {0: SURVIVED, 1: KILLED, 3: KILLED, 5: UNTESTED, 33: UNTESTED, 36: TIMEOUT, 24: TIMEOUT, -24: TIMEOUT}


class Undecorated(cst.CSTTransformer):
    """Turns `@d def f` into `def f` and `f = d(f)`, since mutmut leaves functions with a decorator out."""

    def leave_FunctionDef(  # noqa: N802  # libcst's name
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef | cst.FlattenSentinel[cst.BaseStatement]:
        del original_node
        decorators = [decorator.decorator for decorator in updated_node.decorators]
        if not decorators or any(cst.Module([]).code_for_node(each) == "overload" for each in decorators):
            return updated_node
        value: cst.BaseExpression = updated_node.name
        for decorator in reversed(decorators):
            value = cst.Call(decorator, [cst.Arg(value)])
        assign = cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(updated_node.name)], value)])
        return cst.FlattenSentinel([updated_node.with_changes(decorators=[]), assign])


def prepare(work: Path, package: str) -> None:
    """Copy the project to `work`, with the package's functions undecorated, and make the mutants."""
    for tests in (work / "tests", work / "mutants/tests"):  # earlier ones, which may have been removed
        shutil.rmtree(tests, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, work / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, work / name)
    modules = sorted((work / "src/byol_kedro" / package).rglob("*.py"))
    for path in modules:
        code, stat = cst.parse_module(path.read_text()).visit(Undecorated()).code, path.stat()
        path.write_text(code)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # mutmut keeps the mutants of a file without changes
    names = json.dumps([str(path.relative_to(work)) for path in modules])
    with (work / "pyproject.toml").open("a") as file:
        file.write(SETTINGS.format(modules=names, package=package))
    make = (
        "from mutmut.__main__ import copy_also_copy_files, copy_src_dir, create_mutants\n"
        "copy_src_dir(); copy_also_copy_files(); create_mutants(max_children=1)"
    )
    subprocess.run([sys.executable, "-c", make], cwd=work, check=True, stdout=subprocess.DEVNULL)


def mutants(work: Path, wanted: list[str]) -> dict[str, list[str]]:
    """Names of the mutants by module."""
    source = work / "mutants/src/byol_kedro"
    found = {str(path.relative_to(source)).removesuffix(".meta"): path for path in sorted(source.rglob("*.py.meta"))}
    return {
        module: sorted(json.loads(path.read_text())["exit_code_by_key"])
        for module, path in found.items()
        if any(Path(module).is_relative_to(each) for each in wanted)
    }


def differences(work: Path, names: list[str]) -> Iterator[str]:
    """The change that each of these mutants makes."""
    from mutmut.configuration import reset_config  # noqa: PLC0415  # it reads the settings in `work`
    from mutmut.mutation.diff_apply import get_diff_for_mutant  # noqa: PLC0415

    reset_config()
    with contextlib.chdir(work):
        for name in names:
            lines = get_diff_for_mutant(name).splitlines()
            yield f"{name}\n" + "\n".join(line for line in lines[2:] if line[:1] in "+-@") + "\n"


def run_tests(work: Path, names: list[str]) -> None:
    """Run the tests on these mutants; mutmut saves the verdicts."""
    command = [sys.executable, "-m", "mutmut", "run", "--max-children=1", *names]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": ""}
    with (work / "mutmut.log").open("w") as log:
        done = subprocess.run(command, cwd=work, env=environment, stdout=log, stderr=log, check=False)
    if done.returncode:
        sys.exit(f"mutmut ended with {done.returncode}, see {work / 'mutmut.log'}")


def verdicts_of(work: Path, names: list[str]) -> dict[str, str]:
    """What mutmut has found so far for these mutants."""
    codes: dict[str, int | None] = {}
    for path in (work / "mutants").rglob("*.py.meta"):
        codes |= json.loads(path.read_text())["exit_code_by_key"]
    found = ((name, codes[name]) for name in names)
    return {name: UNKNOWN if code is None else VERDICTS.get(code, KILLED) for name, code in found}


def print_table(table: dict[str, Counter[str]]) -> None:
    """Print a line for each module and one for all, without the mutants that have no verdict."""
    columns = (KILLED, SURVIVED, UNTESTED, TIMEOUT)
    print(f"| module | mutants | {' | '.join(columns)} |\n|{'---|' * 6}")
    for module, counts in (table | {"all": sum(table.values(), Counter())}).items():
        cells = [sum(counts[each] for each in columns), *(counts[each] for each in columns)]
        print(f"| {module} | {' | '.join(map(str, cells))} |")
    killed, total = cells[1] + cells[4], cells[0]
    if total:
        low, high = wilson_interval(killed / total, total)
        print(f"\nkilled or timed out: {percent(killed / total)} % ({percent(low)} to {percent(high)} of all mutants)")


def main() -> None:
    """Run the tests on the mutants and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(PACKAGES), help="packages, folders or modules")
    parser.add_argument("--share", type=float, default=1.0, help="share of the mutants of each module")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample")
    parser.add_argument("--work", type=Path, default=ROOT / "build/mutation", help="folder of the verdicts")
    parser.add_argument("--fresh", action="store_true", help="forget earlier verdicts")
    parser.add_argument("--report", action="store_true", help="print what has been found so far")
    args = parser.parse_args()
    table: dict[str, Counter[str]] = {}
    for package in PACKAGES:
        wanted = [each for each in args.only if Path(each).parts[0] == package]
        work = args.work.resolve() / package
        if not wanted:
            continue
        if args.fresh:
            shutil.rmtree(work, ignore_errors=True)
        if not args.report:
            prepare(work, package)
        sample = {
            # A larger share contains a smaller one.
            module: random.Random(args.seed).sample(names, len(names))[: math.ceil(args.share * len(names))]
            for module, names in mutants(work, wanted).items()
        }
        every = [name for names in sample.values() for name in names]
        again = [name for name, verdict in verdicts_of(work, every).items() if verdict not in {KILLED, TIMEOUT}]
        if again and not args.report:
            run_tests(work, again)
        verdicts = verdicts_of(work, every)
        table |= {module: Counter(verdicts[name] for name in names) for module, names in sample.items() if names}
        alive = [name for name, verdict in verdicts.items() if verdict in {SURVIVED, UNTESTED}]
        (work / "survivors.diff").write_text("\n".join(differences(work, alive)))
    print_table(table)


if __name__ == "__main__":
    main()
