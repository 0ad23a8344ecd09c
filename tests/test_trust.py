"""What no file of ours may do with what others wrote: unpickle it, run it, follow its paths, print it as it is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [path for folder in ("trainer", "export", "viewer", "launch") for path in sorted((ROOT / folder).rglob("*.py"))]
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.jit.load", "torch.hub.load",
                   "shutil.unpack_archive", "yaml.load", "yaml.unsafe_load", "np.fromregex"}  # fmt: skip
FORBIDDEN_METHODS = {"extractall", "extract"}  # of archives: members have names of their own
REQUIRED = {  # keyword arguments with these values, wherever these are called
    "torch.load": ("weights_only", True),
    "load_state_dict_from_url": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
    "read_array": ("allow_pickle", False),
}
MAY_NAME_PICKLE = {"export/weight_files.py": {"UnpicklingError"}}  # what torch raises
# Expressions that print themselves: numbers, words of our own, errors (which clean themselves), text cleaned before.
OWN_WORDS = re.compile(
    r"error|FOLDER|"
    r"len\(\w+\)|next\(sizes\)|', '\.join\(parts\)|training\.count|others\.count|\w+\.shape\[\d\]|\w+\.count|"
    r"(self|start|world|options|config)\."
    r"(step|steps|rank|seed|images_seen|size|device|precision|kind|alpha|stream\.position|written)|"
    r"written|skipped|scale|where|left|kind|width|height|size|row|mean|std|middle|low|high|lack|few|fewest|value|"
    r"len\(found\.kept\) \* len\(variants\)|copies|found\.(faceless|skipped)|faceless|alpha|count|seed|"
    r"len\(skipped\) - faceless \+ unplaced|found|"
    r"missing|number|method|pieces|dropped|about|self\._counts\(\)|"
    r"threads|ranks|at|name|shown|text|message|title|what|MODEL|_NOTHING|smaller|rate|several|note|others|time\.strftime.*|"
    r"command\[0\]|error\.strerror|time\.monotonic.*"
)
PRINTERS = {"print", "tqdm.write", "sys.stderr.write", "sys.stdout.write"}
CLEANERS = {"printable", "UserError", "json.dumps"}  # JSON has escapes for all but ASCII


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_unpickled_or_run(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        imported = []
        if isinstance(node, ast.Import):
            imported = [item.name for item in node.names]
        elif isinstance(node, ast.ImportFrom):
            imported = [node.module or ""]
        for module in imported:
            assert module.partition(".")[0] not in FORBIDDEN_MODULES or name in MAY_NAME_PICKLE, f"{name}: {module}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in FORBIDDEN_MODULES:
            assert node.attr in MAY_NAME_PICKLE.get(name, ()), f"{name}:{node.lineno}: {ast.unparse(node)}"
    for called, node in calls(tree):
        where = f"{name}:{node.lineno}: {called}"
        assert called not in FORBIDDEN_CALLS, where
        assert not (called.partition(".")[2] and called.rpartition(".")[2] in FORBIDDEN_METHODS), where
        for ending, (keyword, value) in REQUIRED.items():
            if called == ending or called.endswith(f".{ending}"):
                given = {item.arg: item.value for item in node.keywords}
                assert isinstance(given.get(keyword), ast.Constant), f"{where} without {keyword}"
                assert ast.literal_eval(given[keyword]) is value, where
        for item in node.keywords:
            assert item.arg != "trust_remote_code", where
            assert not (item.arg == "shell" and ast.unparse(item.value) != "False"), where
            assert not (item.arg == "allow_pickle" and ast.unparse(item.value) != "False"), where


def printed(tree: ast.AST) -> Iterator[tuple[int, ast.expr]]:
    """Everything that is printed: the line, and each expression within."""
    for called, node in calls(tree):
        if called not in PRINTERS and not called.endswith((".bar.write", ".set_description", ".set_postfix_str")):
            continue
        for argument in node.args:
            if isinstance(argument, ast.Call) and ast.unparse(argument.func) in CLEANERS:
                continue
            values = [item for item in ast.walk(argument) if isinstance(item, ast.FormattedValue)]
            plain = [argument] if not values and not isinstance(argument, ast.Constant) else []
            yield from ((node.lineno, item) for item in plain)
            yield from ((node.lineno, item.value) for item in values)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_printed_is_clean(path: Path) -> None:
    """A new print of text that may be somebody else's goes through ``printable``; of numbers, it goes into the list."""
    for line, value in printed(ast.parse(path.read_text())):
        cleaned = isinstance(value, ast.Call) and ast.unparse(value.func) in CLEANERS
        assert cleaned or isinstance(value, ast.Constant | ast.JoinedStr) or OWN_WORDS.fullmatch(ast.unparse(value)), (
            f"{path.relative_to(ROOT)}:{line}: {ast.unparse(value)}"
        )
