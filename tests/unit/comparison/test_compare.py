"""Models side by side: prompts by set, several samples, what code and prose consist of."""

import json

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    OpenAIGPTConfig,
    OpenAIGPTLMHeadModel,
    PreTrainedTokenizerFast,
)

from evaluation.compare import main
from evaluation.comparison.prompt_sets import load_prompts
from evaluation.comparison.prose_figures import format_prose, measure_prose
from evaluation.generators import registry
from training.foundation.hub.hub_files import parse_hub_name


def test_figures_of_prose_by_hand():
    """If it fails, a model of novels and one of web pages look alike."""
    novel = '"Come in," she said. He looked at her.'
    page = "Click here to see our 3 new posts. You can visit www.site.com today!"
    found = measure_prose([novel])
    assert found["dialogue"] == pytest.approx(10 / len(novel))
    assert found["third person"] == pytest.approx(3 / 8)
    assert found["first person"] == found["of the web"] == found["numbers"] == 0
    assert found["sentence"] == pytest.approx(8 / 2)
    assert found["different words"] == 1
    found = measure_prose([page])
    assert found["second person"] == pytest.approx(1 / 14)
    assert found["first person"] == pytest.approx(1 / 14)
    assert found["of the web"] == pytest.approx(3 / 14)
    assert found["numbers"] == pytest.approx(1 / 14)
    assert format_prose(measure_prose([]))["dialogue"] == "0.0%"


def test_the_sets_are_programs_to_complete_and_prose():
    chapter = load_prompts("chapter")
    assert len(chapter.prompts) == 5
    for prompt in chapter.prompts:
        compile(f"{prompt}        pass" if "class " in prompt else f"{prompt}    pass", "p", "exec")
    assert all(stop.startswith("\n") for stop in chapter.stop)
    prose = load_prompts("prose")
    assert (prose.is_prose, prose.stop) == (True, ())
    assert len(load_prompts("own").prompts) > 20


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_prompts_of_a_file_end_at_lines_of_dashes(tmp_path, end):
    """If it fails, a file's prompts are completed as one, and the page has one comparison."""
    path = tmp_path / "prompts.txt"
    lines = ["def f(x):", "---", "a ---", " ---", "---  ", "---", "# Two", "def g(x):", "---"]
    path.write_bytes(end.join(lines).encode())
    assert load_prompts(str(path)).prompts == ("def f(x):", "a ---\n ---", "# Two\ndef g(x):")
    path.write_bytes(end.join(["---", "x", "", "---", "y", ""]).encode())
    assert load_prompts(str(path)).prompts == ("x\n", "y\n")


def test_models_of_books_are_found_by_their_names(monkeypatch):
    """The chapter's names, and names with an owner; folders stay folders."""
    loaded = []
    monkeypatch.setattr(
        "evaluation.generators.transformers_generator.TransformersGenerator",
        lambda model, _device: loaded.append(model),
    )
    for name in ("gpt2", "openai-gpt", "bigcode/tiny_starcoder_py"):
        registry.load_generator(name)
    assert loaded == [
        "openai-community/gpt2",
        "openai-community/openai-gpt",
        "bigcode/tiny_starcoder_py",
    ]
    assert parse_hub_name("./gpt2") is None
    assert parse_hub_name("server/model") is None, "a folder"
    assert str(parse_hub_name("me/model@v1.0")) == "me/model@v1.0"


@pytest.fixture(scope="module")
def gpts(tmp_path_factory):
    """A GPT and a GPT-2 of transformers, tiny, with tokenizers of their kinds."""
    folder = tmp_path_factory.mktemp("gpts")
    torch.manual_seed(0)
    sizes = {"n_embd": 16, "n_layer": 1, "n_head": 2, "vocab_size": 320, "n_positions": 64}
    byte_level = Tokenizer(models.BPE())
    byte_level.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    byte_level.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet)
    byte_level.train_from_iterator(load_prompts("prose").prompts, trainer)
    words = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    words.normalizer = normalizers.BertNormalizer(lowercase=True)
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.decoder = decoders.BPEDecoder()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=["<unk>"], end_of_word_suffix="</w>"
    )
    words.train_from_iterator(load_prompts("prose").prompts, trainer)
    for name, network, tokenizer in (
        ("gpt2", GPT2LMHeadModel(GPT2Config(bos_token_id=0, eos_token_id=0, **sizes)), byte_level),
        ("gpt", OpenAIGPTLMHeadModel(OpenAIGPTConfig(**sizes)), words),
    ):
        network.save_pretrained(folder / name)
        wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
        wrapped.save_pretrained(folder / name)
    return folder


@pytest.mark.integration
def test_gpt_and_gpt2_complete_prose_several_times(gpts, tmp_path, capsys):
    """The chapter's first look at a model, by the real architectures."""
    names = [str(gpts / "gpt"), str(gpts / "gpt2")]
    out = ["--out", str(tmp_path), "--max-new-tokens", "4", "--device", "cpu"]
    assert main([*names, "--prompts", "prose", "--samples", "3", *out]) == 0
    shown = capsys.readouterr().out
    assert "third person" in shown
    assert ", 3 of 3" in shown
    found = json.loads((tmp_path / "comparison.json").read_text())
    assert [len(texts) for texts in found["completions"][0]["samples"]] == [3, 3]
    first, second = (m["prose"] for m in found["models"])
    assert first.keys() == second.keys()
    assert len({text for texts in found["completions"][0]["samples"] for text in texts}) > 2
    page = (tmp_path / "comparison.html").read_text()
    assert page.count(", 2 of 3") == 2 * len(load_prompts("prose").prompts)
