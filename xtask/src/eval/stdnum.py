"""Asks python-stdnum. Run by `cargo xtask eval` with the folder of its source distribution.

vectors MODULE…   prints a line of JSON for each value that the doctests of a module (docstring and
                  tests/test_MODULE.doctest) hand to validate or is_valid, with the answer
judge             reads lines `MODULE IN OUT` from standard input; writes to OUT a 1 or a 0 for
                  each line of IN
"""

import doctest
import importlib
import io
import json
import multiprocessing
import os
import sys

SOURCE = sys.argv[1]
sys.path.insert(0, SOURCE)


def load(name):
    return importlib.import_module("stdnum." + name)


def is_valid(validate, number):
    try:
        return bool(validate(number))
    except ValueError:
        return False


def vectors(name):
    module = load(name)
    asked = {}
    validate, depth = module.validate, [0]

    def recorded(number, *args, **kwargs):
        depth[0] += 1
        valid = False
        try:
            result = validate(number, *args, **kwargs)
            valid = True
            return result
        finally:
            depth[0] -= 1
            if depth[0] == 0 and not args and not kwargs:
                try:
                    compact = module.compact(number)
                except Exception:
                    compact = None
                # What was refused for how it was written is not asked of what is left without.
                if (
                    isinstance(compact, str)
                    and compact.replace("-", "").replace("+", "").isalnum()
                    and is_valid(validate, compact) == valid
                ):
                    asked[compact] = valid

    module.validate = recorded
    runner = doctest.DocTestRunner(verbose=False)
    finder = doctest.DocTestFinder(recurse=False)
    for test in finder.find(module, globs=dict(vars(module))):
        runner.run(test, out=io.StringIO().write)
    path = os.path.join(SOURCE, "tests", "test_" + name.replace(".", "_") + ".doctest")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        test = doctest.DocTestParser().get_doctest(text, {}, path, path, 0)
        runner.run(test, out=io.StringIO().write)
    module.validate = validate
    for compact, valid in asked.items():
        print(json.dumps({"module": name, "value": compact, "valid": valid}))


def judge(line):
    name, source, target = line.split()
    is_valid = load(name).is_valid
    with open(source, encoding="ascii") as values, open(target, "w", encoding="ascii") as answers:
        for value in values:
            answers.write("1" if is_valid(value.rstrip("\n")) else "0")


if sys.argv[2] == "vectors":
    for module in sys.argv[3:]:
        vectors(module)
else:
    with multiprocessing.Pool() as pool:
        pool.map(judge, sys.stdin.read().splitlines(), chunksize=1)
