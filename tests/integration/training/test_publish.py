"""Publishing with the Hub's real client, against a double of the Hub on the loopback."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
import torch
from doubles.hub_double import HUNG_UP, LOST, every_other
from training_run import ROOT, Forked, curve, finish

from training.artifact.directory import ARTIFACT_FILES, load_artifact
from training.config import RunConfig
from training.foundation.config_schema import load_toml
from training.publish.outbox import Outbox

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]  # several runs in a test

REPO = "tester/tiny"
PUBLISH = (f"publish.repo={REPO}", "publish.branch=first", "publish.wait_s=60")
TOKENIZER = {"tokenizer.json", "tokenizer_config.json"}
TITLES = ["Step 4", "Step 6", "Step 8", "Step 12", "Step 12, finished"]


@pytest.fixture(scope="module")
def model(uninterrupted):
    return uninterrupted / "model"


def run_program(command):
    return subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=100
    )


def publish(*arguments, code=0):
    out, err = finish(Forked(*arguments, module="training.publish.__main__"), code)
    return out if code == 0 else err


def python(code):
    """Runs code as a user of the Hub would; returns what it prints, read as JSON."""
    done = run_program([sys.executable, "-c", code])
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def assert_loads_as(artifact_folder):
    """What transformers loads from branch and main is what the project loads from the folder."""
    text = "def add(a, b):\n    return"
    found = python(
        "import json, torch\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "logits = []\n"
        "for revision in ('first', 'main'):\n"
        f"    where = {{'pretrained_model_name_or_path': {REPO!r}, 'revision': revision}}\n"
        "    ids = AutoTokenizer.from_pretrained(**where)"
        f"({text!r}, return_tensors='pt').input_ids\n"
        "    model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)\n"
        "    logits.append(model(ids).logits[0, -1].tolist())\n"
        "print(json.dumps(logits))\n"
    )
    artifact = load_artifact(artifact_folder)
    with torch.no_grad():
        ours = artifact.model()(torch.tensor([artifact.tokenizer.encode(text)]))[0, -1]
    for logits in found:
        torch.testing.assert_close(torch.tensor(logits), ours, rtol=1e-4, atol=1e-4)


def test_a_run_appears_on_the_hub_while_it_trains(hub, uninterrupted, config_file, tmp_path):
    """If it fails, a team sees nothing of a run, or strangers see it, or main stays empty."""
    run = tmp_path / "run"
    _, err = finish(Forked(config_file, f"paths.run={run}", *PUBLISH))
    repository = hub.model(REPO)
    assert [body["visibility"] for body in hub.created] == ["private"]
    assert repository.private
    assert repository.titles()[:2] == ["initial commit", "Tokenizer"]
    first = list(repository.history("main"))[-2]
    assert first.tree.keys() == TOKENIZER
    assert repository.titles("first")[2:] == TITLES
    assert [request.status for request in repository.requests.values()] == ["merged"]
    assert repository.find("main").tree == repository.find("first").tree
    assert repository.find("main").tree.keys() == ARTIFACT_FILES
    assert_loads_as(run / "model")
    assert not Outbox(run).commits()
    assert "send with" not in err
    assert curve(run) == curve(uninterrupted)


def test_publishing_a_model_twice_sends_it_once(hub, model):
    """If it fails, a command that is run again makes empty commits, or sends weights again."""
    for _ in range(2):
        assert publish("model", model, "--repo", REPO).endswith(f"{REPO} (private)\n")
    assert hub.model(REPO).titles() == ["initial commit", "Tokenizer", "Model"]
    assert hub.uploads == 1


def test_a_hub_that_is_down_costs_nothing(hub, uninterrupted, config_file, tmp_path):
    """If it fails, a night without network stops the training, or its checkpoints are lost."""
    run = tmp_path / "run"
    with hub.failing(lambda _method, _path: HUNG_UP):
        _, err = finish(Forked(config_file, f"paths.run={run}", *PUBLISH, "publish.wait_s=1"))
    assert curve(run) == curve(uninterrupted)
    assert not hub.repositories
    assert [entry.title for entry in Outbox(run).commits()] == ["Tokenizer", *TITLES]
    assert f"parrotlet publish run {run}" in err
    shutil.rmtree(run / "checkpoints")
    assert publish("run", run).splitlines()[:-1] == ["Tokenizer", *TITLES]
    assert hub.model(REPO).titles("first")[1:] == ["Tokenizer", *TITLES]
    assert hub.model(REPO).find("main").tree.keys() == ARTIFACT_FILES
    assert not Outbox(run).commits()
    assert publish("run", run).splitlines() == [
        f"everything queued was sent to {REPO}, branch first"
    ]  # and nothing was sent again


def test_every_commit_arrives_once_though_every_other_request_fails(hub, config_file, tmp_path):
    """If it fails, a busy Hub leaves holes in the history, or doubles."""
    run = tmp_path / "run"
    few = ("pretrain.save_every_steps=12", "pretrain.validate_every_steps=12")  # each waits
    with hub.failing(every_other(503)):
        finish(Forked(config_file, f"paths.run={run}", *PUBLISH, *few, processes=2))
    repository = hub.model(REPO)
    assert repository.titles("first") == ["initial commit", "Tokenizer", *TITLES[-2:]]
    merged = f"Merge first ({repository.find('first').oid[:8]}) (#1)"
    assert repository.titles() == ["initial commit", "Tokenizer", merged]


def test_a_lost_answer_makes_no_second_commit(hub, model):
    """If it fails, a connection that breaks at the wrong moment doubles a commit."""
    broken = []

    def refuses(method, path):
        if "/commit/" in path and len(broken) < 2:
            broken.append(path)
            return LOST
        return None

    with hub.failing(refuses):
        publish("model", model, "--repo", REPO)
    assert len(broken) == 2
    assert hub.model(REPO).titles() == ["initial commit", "Tokenizer", "Model"]


def test_a_kill_in_the_middle_of_a_commit_loses_and_doubles_nothing(hub, config_file, tmp_path):
    """If it fails, a machine that goes down leaves a hole in the history, or two of a commit."""
    run = tmp_path / "run"
    process, killed = Forked(config_file, f"paths.run={run}", *PUBLISH), []

    def refuses(_method, path):
        if killed or not path.endswith("/commit/first"):
            return None
        killed.append(process.pid)
        os.kill(killed[0], signal.SIGKILL)
        return LOST

    with hub.failing(refuses):
        process.communicate(timeout=100)
    assert process.returncode != 0
    assert next(entry.step for entry in Outbox(run).commits()) == 4
    finish(Forked(config_file, f"paths.run={run}", *PUBLISH))
    assert hub.model(REPO).titles("first") == ["initial commit", "Tokenizer", *TITLES]
    assert not Outbox(run).commits()


def test_a_wrong_token_is_said_once_and_training_goes_on(
    hub, uninterrupted, config_file, tmp_path, monkeypatch
):
    """If it fails, an expired token kills a run, or nobody hears of it."""
    run = tmp_path / "run"
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    _, err = finish(Forked(config_file, f"paths.run={run}", *PUBLISH))
    assert curve(run) == curve(uninterrupted)
    assert err.count("hf auth login") == 1
    assert "Traceback" not in err
    assert "6 commits are queued" in err
    assert "hf auth login" in publish("run", run, code=3)


def test_a_second_run_leaves_the_model_on_main_whole(hub, config_file, model, tmp_path):
    """If it fails, a new run breaks the published model until it is merged, hours later."""
    publish("model", model, "--repo", REPO)
    before = hub.model(REPO).find("main")
    run = tmp_path / "run"
    finish(Forked(config_file, f"paths.run={run}", *PUBLISH, "pretrain.stop_after_steps=4"))
    if Outbox(run).commits():
        publish("run", run)
    assert hub.model(REPO).find("main") == before
    assert hub.model(REPO).titles("first")[-2:] == ["Tokenizer", "Step 4"]
    begun = list(hub.model(REPO).history("first"))[1]
    assert begun.tree.keys() == TOKENIZER
    finish(Forked(config_file, f"paths.run={run}", *PUBLISH))
    assert hub.model(REPO).titles("first")[-4:] == TITLES[1:]
    assert hub.model(REPO).find("main").tree == hub.model(REPO).find("first").tree


def test_nothing_private_goes_to_a_public_repository(hub, model):
    """If it fails, a private model is one mistyped name away from the public."""
    assert "(public)" in publish("model", model, "--repo", REPO, "--public")
    assert hub.created[-1]["visibility"] == "public"
    assert "exists already and is public" in publish("model", model, "--repo", REPO, code=3)


def test_a_corpus_streams_from_the_hub(hub, tiny_config, tmp_path):
    """If it fails, what was published cannot be trained on, or its licences are wrong."""
    corpus = load_toml(RunConfig, tiny_config).paths.corpus
    out = publish("corpus", corpus, "--repo", "tester/code")
    assert out.count("(private)") == 2
    assert [body["visibility"] for body in hub.created] == ["private", "private"]
    found = python(
        "import json\n"
        "from datasets import load_dataset\n"
        "found = {}\n"
        "for name, split in (('train', 'train'), ('valid', 'validation')):\n"
        "    rows = load_dataset(f'tester/code-{name}', split=split, streaming=True)\n"
        "    found[name] = [[r['package'], r['sha256']] for r in rows]\n"
        "from training.corpus.config import ArchiveLimits, RecordFields\n"
        "from training.corpus.readers.records.hub_datasets import HubDataset, list_hub_files\n"
        "from training.corpus.readers.records.record_files import read_slice\n"
        "from training.corpus.readers.records.record_slices import FileSlice\n"
        "from training.corpus.readers.records.record_parsing import RecordParser\n"
        "parser = RecordParser(fields=RecordFields(), package='x', max_bytes=10**6)\n"
        "(file,) = list_hub_files(HubDataset.parse('tester/code-train'))\n"
        "files = read_slice(FileSlice(file=file), parser, ArchiveLimits(), advice='')\n"
        "found['source'] = [[f.origin.package, f.problem] for f in files]\n"
        "print(json.dumps(found))\n"
    )
    report = json.loads((corpus / "report.json").read_text())
    assert found["source"] == [[package, None] for package, _ in found["train"]]
    assert len(found["train"]) == report["splits"]["train"]["documents"]
    assert {package for package, _ in found["valid"]} == {"cpython-stdlib-sqlite3"}
    valid = hub.dataset("tester/code-valid")
    assert "cpython-stdlib-sqlite3" in hub.content(valid, "NOTICE").decode()
    assert "cpython-stdlib-asyncio" not in hub.content(valid, "NOTICE").decode()
    card = hub.content(valid, "README.md").decode()
    assert f"| PSF-2.0 | {len(found['valid'])} |" in card
    assert str(corpus) not in card
    assert "| too small | 3 |" in card
    assert "parts of Python's standard library: sqlite3, asyncio" in card
    assert "| min_bytes | 200 |" in card


def test_publishing_a_corpus_goes_on_where_it_stopped(hub, tiny_config, tmp_path):
    """If it fails, each interruption sends the gigabytes again, or old files stay among the new."""
    corpus = tmp_path / "corpus"
    shutil.copytree(load_toml(RunConfig, tiny_config).paths.corpus, corpus)
    shutil.copy(corpus / "train/part-00000.parquet", corpus / "train/part-00001.parquet")
    publish("corpus", corpus, "--repo", "tester/code")
    train = hub.dataset("tester/code-train")
    uploads, titles = hub.uploads, train.titles()
    publish("corpus", corpus, "--repo", "tester/code")
    assert (hub.uploads, train.titles()) == (uploads, titles)
    (corpus / "train/part-00001.parquet").unlink()
    shutil.rmtree(corpus / "heldout")
    assert "nothing to validate on" in publish("corpus", corpus, "--repo", "tester/code", code=3)
    (corpus / "heldout").mkdir()
    shutil.copy(corpus / "train/part-00000.parquet", corpus / "heldout/part-00000.parquet")
    publish("corpus", corpus, "--repo", "tester/code")
    assert train.find("main").tree.keys() == {"train/part-00000.parquet", "README.md", "NOTICE"}
    assert hub.uploads == uploads


def test_a_merge_takes_what_the_branch_removed_and_leaves_what_others_added(hub, tmp_path):
    """If it fails, a file that is gone stays with the model, or somebody's work is lost."""
    for name in ("old.txt", "kept.txt", "model.safetensors", "added.txt"):
        (tmp_path / name).write_text(name)
    python(
        "from pathlib import Path\n"
        "from training.publish.hub import Hub\n"
        f"hub, folder = Hub({REPO!r}, shows_progress=False), Path({str(tmp_path)!r})\n"
        "def commit(*names, **more):\n"
        "    hub.commit({name: folder / name for name in names}, message='x', **more)\n"
        "hub.create(private=True)\n"
        "commit('old.txt', 'kept.txt')\n"
        "hub.create_branch('first')\n"
        "commit('model.safetensors', revision='first', replaces='old.txt'.__eq__)\n"
        "commit('added.txt')\n"
        "hub.merge('first')\n"
        "hub.merge('first')\n"
        "print(0)\n"
    )
    repository = hub.model(REPO)
    assert set(repository.find("main").tree) == {"kept.txt", "model.safetensors", "added.txt"}
    assert set(repository.find("first").tree) == {"kept.txt", "model.safetensors"}
    assert len(repository.requests) == 1
    assert hub.uploads == 1
