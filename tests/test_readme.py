"""README shows what was measured, and what it tells a reader to type works."""

import contextlib
import importlib
import json
import pathlib
import re
import shlex

import pytest
import stand_in
from programs import program, small_corpus

from tasks import benchmark, benchmark_models, results
from tasks.experiments import distribution_page, lecture_page, speed_tables
from tasks.framework import tables
from tasks.framework.experiment import Experiment
from tasks.melody import midi
from tasks.tagging import demo
from zoo import __main__ as zoo_program
from zoo.catalog import markdown
from zoo.catalog.results import RunResults
from zoo.configuration import TaggerConfig
from zoo.saving import versions

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")

# --- Tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("results", lambda found: tables.tables(tables.rows(found, "results.json"))),
        ("models", tables.speed_table),
        ("cells", tables.cells_table),
        ("agreement", tables.agreement_table),
        ("attention", tables.attention_table),
        ("gradient_flow", tables.gradient_flow_table),
        ("exploding", tables.exploding_table),
        ("gates_cat", tables.gate_units_table),
        ("gates_told", tables.gates_told_table),
        ("long_memory", tables.long_memory_table),
    ],
)
def test_the_tables_in_the_readme_are_those_of_the_results_files(name, shown):
    file = {"models": "benchmark_models.json"}.get(name, f"{name}.json")
    found = json.loads((ROOT / "docs" / file).read_text())
    assert markdown.replace(README, name, shown(found)) == README


def test_the_lecture_in_pictures_is_made_of_what_was_measured():
    page = lecture_page.page(ROOT / "docs")
    assert (ROOT / "docs" / lecture_page.PAGE).read_text("utf-8") == page
    assert page.count("\n## ") == len(lecture_page.CLAIMS)
    assert all((ROOT / "docs" / file).exists() for file in re.findall(r"\]\((.+?)\)", page))


def test_what_all_reduce_moves_is_made_of_the_entries():
    page = distribution_page.page(ROOT / "saved_models")
    assert (ROOT / "docs" / distribution_page.PAGE).read_text("utf-8") == page
    assert page.count("\n| ") == 2 + len(list((ROOT / "saved_models").glob("*/results.json")))


def test_rows_of_large_embeddings_are_what_is_sent_of_them():
    run = {
        "config": {"batch_size": 2, "embedding_dim": 10, "tied": False},
        "counts": {"train": {"texts": 8, "words": 40}},
        "parameters": 100_000,
        "epochs": [{"seconds": 4.0}],
    }
    running = {**run, "config": {**run["config"], "running": True, "window": 5}}
    for counts in ({"characters": 900, "tokens": 40}, {"frames": 40, "notes": 900}):
        one = distribution_page.traffic({**running, "counts": {"train": {"texts": 1, **counts}}}, 9)
        assert one.seconds == 1.0
    small, large = (distribution_page.traffic(run, size) for size in (4096, 5000))
    assert small.seconds == large.seconds == 1.0
    assert small.bytes(True) == small.bytes(False) == large.bytes(False) == 800_000
    # 50,000 numbers are in the table; a batch has 10 words, each a row of 40 bytes and its number.
    assert large.bytes(True) == 400_000 + 10 * 48
    # All-reduce takes half as long as what each of N workers computes of a step of a second.
    n = large.workers(True)
    assert (n - 1) / n * large.bytes(True) / 1.25e9 == pytest.approx(1 / n / 2)


def test_all_tables_of_long_memory_are_those_of_its_numbers():
    found = json.loads((ROOT / "docs/long_memory.json").read_text())
    assert (ROOT / "docs/long_memory.md").read_text("utf-8") == tables.long_memory_tables(found)
    assert {path.name for path in (ROOT / "docs").glob("long_memory*.png")} == {
        "long_memory.png",
        *(f"long_memory_{task}.png" for task in found["tasks"]),
    }


@pytest.mark.parametrize("name", ["benchmark", "benchmark_gpu"])
def test_the_tables_of_a_benchmark_are_those_of_its_figures(name):
    found = json.loads((ROOT / f"docs/{name}.json").read_text())
    assert (ROOT / f"docs/{name}.md").read_text() == speed_tables.tables(found)
    found["rows"] = [row for row in found["rows"] if "dtype" not in row]
    assert markdown.replace(README, name, speed_tables.summary(found)) == README


def run(seed, f1, seconds=30.0, **config):
    return RunResults(
        task="ner",
        score="f1",
        command=f"python -m tasks.ner --seed={seed} --train_file=/a/b/c/d.conll",
        config={"seed": seed, "cell": "lstm", **config},
        counts={},
        parameters=1000,
        epochs=[],
        wall_seconds=seconds,
        machine={"processor": "P", "cores": 2},
        validation={"f1": f1},
    )


def merged(*runs):
    return tables.merged([], map(tables.Row.of, runs), tables.Row.recipe)


def test_seeds_of_a_recipe_are_one_row_and_a_run_measured_again_replaces_itself():
    again = merged(run(0, 0.5), run(1, 0.7), run(0, 0.3, cell="none"), run(1, 0.9))
    assert len(again) == 3
    rows = [line for line in tables.tables(again).splitlines() if "tasks.ner" in line]
    assert rows == [
        "| `python -m tasks.ner --train_file=c/d.conll` | 0.700 ± 0.283 | – | 2 | 1,000 | 30 s |",
        "| `python -m tasks.ner --train_file=c/d.conll` | 0.300 | – | 1 | 1,000 | 30 s |",
    ]


def test_the_collection_comes_back_byte_for_byte():
    text = (ROOT / "docs/results.json").read_text("utf-8")
    rows = tables.rows(json.loads(text), "results.json")
    assert json.dumps(tables.as_dicts(rows), indent=1, ensure_ascii=False) == text


def test_the_program_takes_runs_into_the_collection(tmp_path, monkeypatch, capsys):
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(
        "".join(f"<!-- {name}: begin -->\n<!-- {name}: end -->\n" for name in ("results", "models"))
    )
    run(0, 0.5).write(tmp_path / "one.json")
    run(1, 0.7).write(tmp_path / "two.json")
    monkeypatch.chdir(tmp_path)
    assert results.main(["one.json", "two.json"]) == 0
    assert "| 0.600 ± 0.141 |" in (tmp_path / "README.md").read_text()
    assert len(json.loads((tmp_path / results.COLLECTION).read_text())) == 2
    (tmp_path / "one.json").write_text("{}")
    assert results.main(["one.json"]) == 1
    assert "one.json: task: expected a value" in capsys.readouterr().err


def test_a_markdown_file_without_markers_is_an_error():
    with pytest.raises(ValueError, match="expected the lines"):
        markdown.replace("text", "results", "")


# --- Python --------------------------------------------------------------------------------------


def titled(texts):
    """With the first line of each as its name."""
    return [pytest.param(text, id=text.strip().splitlines()[0][:40]) for text in texts]


BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PROGRAMS = [block for block in BLOCKS if re.search(r"^(import|from) ", block, re.MULTILINE)]
TRAINING = [block for block in PROGRAMS if "train(" in block]
QUOTATIONS = [block for block in BLOCKS if block not in PROGRAMS]
SOURCES = "\n".join(path.read_text("utf-8") for path in (ROOT / "layers").glob("*.py"))


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A working directory with the models of the clone, and room for others."""
    for path in (ROOT / "saved_models").iterdir():
        (tmp_path / "saved_models").mkdir(exist_ok=True)
        (tmp_path / "saved_models" / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextlib.contextmanager
def addresses_of_servers(block):
    """The block with the address of a server that runs, where it names one."""
    asked = re.search(r"localhost:8501\W+(\w+)", block)
    if asked is None:
        yield block
        return
    with stand_in.serve({asked[1]: str(ROOT / "saved_models" / asked[1])}) as (rest, _):
        yield block.replace("http://localhost:8501", rest)


@pytest.mark.parametrize("block", titled([block for block in PROGRAMS if block not in TRAINING]))
def test_python_runs(block, elsewhere):
    names = {}
    with addresses_of_servers(block) as code:
        exec(compile(code, "README.md", "exec"), names)
    if "answer" in names:
        assert "tags" in names["answer"]


@pytest.mark.slow
@pytest.mark.parametrize("block", titled(TRAINING))
def test_python_that_trains_runs(block, elsewhere, monkeypatch):
    names = {}
    # On fewer sentences, without the compiler.
    monkeypatch.setattr(TaggerConfig, "layer_jit", False)
    with small_corpus(demo):
        exec(compile(block, "README.md", "exec"), names)
    assert "tags" in names["answer"]
    assert (elsewhere / "saved_models" / "mine" / "1" / "saved_model.pb").exists()
    assert (elsewhere / "runs" / "mine" / "results.json").exists()


@pytest.mark.parametrize("block", titled(QUOTATIONS))
def test_equations_are_those_of_the_code(block):
    code = "".join(SOURCES.split())
    for line in block.splitlines():
        wanted = re.escape("".join(line.split())).replace(re.escape("..."), ".{1,200}")
        assert re.search(wanted, code), line


def test_every_block_is_tested():
    assert len(PROGRAMS) + len(QUOTATIONS) == README.count("```python\n")
    assert len(TRAINING) == 1
    assert len(QUOTATIONS) == 2


# --- Commands ------------------------------------------------------------------------------------

# In blocks and in the text: `python -m tasks.NAME FLAGS`.
COMMANDS = sorted(set(re.findall(r"python -m (?:tasks\.\w+|zoo\b)[^`\n]*", README)))
WORDS = {line: shlex.split(line, comments=True)[2:] for line in COMMANDS}
OF_TASKS = {line: (w[0].removeprefix("tasks."), w[1:]) for line, w in WORDS.items() if "." in w[0]}
ASKING = ("predict", "score", "generate", "explain")


def parsed(task, flags):
    """The configurations of a command, of the program or the benchmark."""
    module = importlib.import_module(f"tasks.{task}")
    if hasattr(module, "program_of"):
        return module.program_of(benchmark_models.named_task(flags)).parse(flags)
    if isinstance(module.PROGRAM, Experiment):
        return None, module.PROGRAM.parse(flags)
    return module.PROGRAM.parse(flags)


@pytest.mark.parametrize("line", titled(line for line, (t, _) in OF_TASKS.items()))
def test_every_flag_preset_mode_and_model_is_real(line):
    task, flags = OF_TASKS[line]
    if task == "benchmark":
        assert benchmark.parse(flags).for_device("cpu").sizes
        return
    if task == "results" or "--help" in flags or "NAME" in task:
        assert task == "NAME" or (ROOT / "tasks" / f"{task}.py").exists()
        return
    # Which run it starts from is looked for; that the flag is there, test_pretraining.py says.
    _, run = parsed(task, [flag for flag in flags if not flag.startswith("--pretrain_from=")])
    model = getattr(run, "model", None)
    assert model is None or model in versions.list_models(ROOT / "saved_models")


@pytest.mark.parametrize("line", titled(sorted(WORDS.keys() - OF_TASKS.keys())))
def test_every_command_of_the_zoo_is_real(line, capsys):
    _, *words = WORDS[line]
    if words:
        with pytest.raises(SystemExit) as stop:
            zoo_program.main([words[0], "--help"])
        assert stop.value.code == 0
        assert f"python -m zoo {words[0]}" in capsys.readouterr().out
    known = ["NAME", *versions.list_models(ROOT / "saved_models")]
    for word in words[1:]:
        assert word.startswith("--") or word.partition("=")[0] in known


def test_versions_that_are_served_are_there_by_then(elsewhere):
    """Line by line, with the copies that lines before make."""
    block = next(one for one in README.split("```") if "serve-config --versions" in one)
    there = {}
    for line in block.splitlines():
        if copy := re.match(r"cp -r saved_models/(\w+)/(\d+) saved_models/(\w+)/(\d+)", line):
            known = there.setdefault(
                copy[1], set(versions.versions(elsewhere / "saved_models" / copy[1]))
            )
            assert copy[3] == copy[1] and int(copy[2]) in known
            known.add(int(copy[4]))
        if asked := re.search(r"--versions (\w+)=(\S+)", line):
            assert {int(n) for n in re.findall(r"\d+", asked[2])} <= there[asked[1]]
    assert there


QUESTIONS = [
    line
    for line, (_, flags) in OF_TASKS.items()
    if any(f"--mode={mode}" in flags for mode in ASKING) and "--model=" in line
]


@pytest.mark.parametrize("line", titled(QUESTIONS))
def test_what_asks_a_model_runs(line, tmp_path):
    task, flags = OF_TASKS[line]
    (tmp_path / "in.txt").write_text("Harry Potter met Teddy Roosevelt.\n\n")
    midi.write(str(tmp_path / "in.mid"), [[60, 64, 67]] * 4)
    run = program(task, *flags, cwd=tmp_path)
    assert run.stderr == ""
    _, said = parsed(task, flags)
    if said.output_file:
        assert (tmp_path / said.output_file).stat().st_size
    else:
        assert run.stdout.strip()


def test_every_mode_that_asks_is_shown():
    shown = {mode for mode in ASKING for line in QUESTIONS if f"--mode={mode}" in line}
    assert shown == set(ASKING)


def test_targets_of_make_are_there():
    for target in re.findall(r"^    make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
