from __future__ import annotations

import pytest

from mlstore.errors import ConfigError
from mlstore.manifest import InputSpec, parse_manifest

TEXT = """\
# the pipeline

[stages.generate]
command = "python generate.py > log.txt"
inputs = ["config.ini#data"]
outputs = ["data/raw.csv"]

[stages."clean-1.x"]
command = ["python", "clean.py", "--all"]
inputs = ["data/*.csv", "src/"]
outputs = ["out/**", "models/"]
"""


def test_stages_stand_in_the_order_of_the_file() -> None:
    stages = parse_manifest(TEXT).stages
    assert list(stages) == ["generate", "clean-1.x"]
    assert [stage.line for stage in stages.values()] == [3, 8]


def test_a_text_runs_through_the_shell_and_a_list_directly() -> None:
    shell, direct = parse_manifest(TEXT).stages.values()
    assert (shell.shell, shell.command) == (True, ("sh", "-c", "python generate.py > log.txt"))
    assert (direct.shell, direct.command) == (False, ("python", "clean.py", "--all"))
    assert shell.display == "python generate.py > log.txt"
    assert direct.display == "python clean.py --all"


def test_an_input_may_select_a_key() -> None:
    generate, clean = parse_manifest(TEXT).stages.values()
    assert generate.inputs == (InputSpec("config.ini#data", "config.ini", "data"),)
    assert clean.inputs[0] == InputSpec("data/*.csv", "data/*.csv", None)


def test_a_stage_knows_its_files() -> None:
    clean = parse_manifest(TEXT).stages["clean-1.x"]
    assert [clean.reads(path) for path in ("data/a.csv", "src/x/y.py", "data/a/b.txt", "other")] == [
        True,
        True,
        False,
        False,
    ]
    assert [clean.writes(path) for path in ("out/a/b", "models/m.joblib", "outside")] == [True, True, False]


def test_a_file_without_stages_is_fine() -> None:
    assert parse_manifest("").stages == {}
    assert parse_manifest("[gate]\nequal = 'content'\n").raw == {"gate": {"equal": "content"}}


def stage(*lines: str) -> str:
    return "\n".join(["# one", "[stages.train]", *lines, ""])


GOOD = ('command = "x"', 'outputs = ["m"]')


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("[stages.train\n", 1, None, "not valid TOML"),
        ("a = 1\nb = \n", 2, None, "not valid TOML"),
        ("# x\n\n[stage.train]\n", 3, "stage", "'stage' is not known"),
        ("stages = 5\n", 1, "stages", "not a table"),
        ("[stages]\ntrain = 5\n", 2, "stages.train", "not a table"),
        ("# x\n[stages.'two words']\n", 2, "stages.two words", "cannot be the name"),
        ("# x\n[stages.'../x']\n", 2, "stages.../x", "cannot be the name"),
        (stage('outputs = ["m"]'), 2, "stages.train.command", "is missing"),
        (stage('outputs = ["m"]', "command = 5"), 4, "stages.train.command", "neither"),
        (stage('outputs = ["m"]', "command = []"), 4, "stages.train.command", "neither"),
        (stage('outputs = ["m"]', "command = ['']"), 4, "stages.train.command", "neither"),
        (stage('outputs = ["m"]', "command = [1]"), 4, "stages.train.command", "neither"),
        (stage('outputs = ["m"]', "command = '  '"), 4, "stages.train.command", "neither"),
        (stage('outputs = ["m"]', 'command = "a\\u0000b"'), 4, "stages.train.command", "neither"),
        (stage(GOOD[0]), 2, "stages.train", "declares no outputs"),
        (stage(GOOD[0], "outputs = []"), 2, "stages.train", "declares no outputs"),
        (stage(GOOD[0], "outputs = 'm'"), 4, "stages.train.outputs", "not a list of texts"),
        (stage(*GOOD, "inputs = [1]"), 5, "stages.train.inputs", "not a list of texts"),
        (stage(*GOOD, "inputs = ['a', 'a']"), 5, "stages.train.inputs", "names 'a' twice"),
        (stage(*GOOD, "inputs = ['../a']"), 5, "stages.train.inputs", "not a path inside"),
        (stage(*GOOD, "inputs = ['/etc/passwd']"), 5, "stages.train.inputs", "not a path inside"),
        (stage(*GOOD, "inputs = ['']"), 5, "stages.train.inputs", "not a path inside"),
        (stage(*GOOD, "inputs = ['.mlstore/config']"), 5, "stages.train.inputs", "not a path inside"),
        (stage(*GOOD, "inputs = ['a.ini#']"), 5, "stages.train.inputs", "no usable key"),
        (stage(*GOOD, "inputs = ['a.ini#.x']"), 5, "stages.train.inputs", "no usable key"),
        (stage(*GOOD, "inputs = ['a.ini#x..y']"), 5, "stages.train.inputs", "no usable key"),
        (stage(*GOOD, "inputs = ['*.ini#x']"), 5, "stages.train.inputs", "from a pattern"),
        (stage(GOOD[0], "outputs = ['a#b']"), 4, "stages.train.outputs", "holds a '#'"),
        (stage(*GOOD, "input = ['a']"), 5, "stages.train.input", "not known"),
        (stage(*GOOD, '"commands" = 1'), 5, "stages.train.commands", "not known"),
    ],
)
def test_every_complaint_names_file_line_and_key(text: str, line: int, key: str | None, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_manifest(text)
    assert says in caught.value.message
    assert caught.value.data["file"] == "mlstore.toml"
    assert caught.value.data.get("key") == key
    assert caught.value.data["line"] == line
    assert f"'mlstore.toml:{line}'" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("storage = 1", 1, "storage", "not a table"),
        ("\n[storage]\nchunk = 'x'", 3, "storage.chunk", "not a list of texts"),
        ("[storage]\n\nwhole = [1]", 3, "storage.whole", "not a list of texts"),
        ("[storage]\nwhole = ['a', 'a']", 2, "storage.whole", "names 'a' twice"),
        ("[storage]\nchunk = []\nwhole = ['../x']", 3, "storage.whole", "not a path inside"),
        ("[storage]\nchunk = ['/x']", 2, "storage.chunk", "not a path inside"),
        ("[storage]\nchunk = ['a.ini#key']", 2, "storage.chunk", "holds a '#'"),
        ("[storage]\nchunks = ['x']", 2, "storage.chunks", "not known"),
    ],
)
def test_every_complaint_about_storage_names_file_line_and_key(
    text: str, line: int, key: str, says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_manifest(text)
    assert says in caught.value.message
    assert caught.value.message.startswith(f"'mlstore.toml:{line}'")
    assert (caught.value.data["line"], caught.value.data["key"]) == (line, key)
    assert caught.value.hint


def test_storage_says_which_large_files_are_cut_into_chunks() -> None:
    storage = parse_manifest("[storage]\nchunk = ['m/', '*.bin']\nwhole = ['*.csv', 'm/keep']\n").storage
    chunked = {
        path: storage.is_chunked(path) for path in ("m/x", "m/keep", "a.bin", "a.csv", "a.npy", "a", ".csv")
    }
    assert [path for path, yes in chunked.items() if yes] == ["m/x", "a.bin", "a.npy"]
    assert parse_manifest("").storage.is_chunked("sub/a.CSV")
    assert not parse_manifest("").storage.is_chunked("model.joblib")


def test_variables_of_a_re_run_are_declared_for_all_stages_or_for_one() -> None:
    manifest = parse_manifest('[reproduce]\nenv = ["A"]\n' + TEXT + 'env = ["B_1", "_c"]\n')
    assert manifest.env == ("A",)
    assert [one.env for one in manifest.stages.values()] == [(), ("B_1", "_c")]
    assert parse_manifest(TEXT).env == ()


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        (
            f'{TEXT}env = ["A=1"]',
            12,
            "stages.clean-1.x.env",
            "'A=1' in 'stages.clean-1.x.env' is not the name",
        ),
        (f'{TEXT}env = "A"', 12, "stages.clean-1.x.env", "is not a list of texts"),
        ('[reproduce]\nenv = ["1A"]', 2, "reproduce.env", "is not the name of a variable"),
        ('[reproduce]\nenv = ["A", "A"]', 2, "reproduce.env", "names 'A' twice"),
        ('[reproduce]\nenvs = ["A"]', 2, "reproduce.envs", "is not known"),
        ("reproduce = 1", 1, "reproduce", "is not a table"),
    ],
)
def test_every_complaint_about_variables_names_file_line_and_key(
    text: str, line: int, key: str, says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_manifest(text)
    assert says in caught.value.message
    assert (caught.value.data["line"], caught.value.data["key"]) == (line, key)


def test_a_misspelt_key_is_guessed() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_manifest(stage(*GOOD, "input = ['a']"))
    assert caught.value.hint == "did you mean 'inputs'?"


def test_another_name_of_the_file_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_manifest("x = 1", "sub/mlstore.toml")
    assert caught.value.data["file"] == "sub/mlstore.toml"
