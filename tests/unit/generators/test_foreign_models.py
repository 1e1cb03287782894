"""Other projects' models: damaged, unfinished or of another kind, each is one sentence."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertLMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from evaluation.generators.foreign_model import load_foreign_model
from evaluation.generators.generator import Generation
from evaluation.generators.transformers_generator import TransformersGenerator
from evaluation.problems.problem import Problem
from training.foundation.errors import PrerequisiteError

SENTINELS = ["<fim_prefix>", "<fim_suffix>", "<fim_middle>"]
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 548105171\n"
SIZES = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": 300,
}


def save(folder, network, extra=("<s>", "</s>", *SENTINELS)):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*extra, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(extra))
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    network.save_pretrained(folder)
    wrapped.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    torch.manual_seed(0)
    network = LlamaForCausalLM(LlamaConfig(max_position_embeddings=64, **SIZES))
    return save(tmp_path_factory.mktemp("models") / "good", network)


@pytest.fixture
def model(good, tmp_path):
    return shutil.copytree(good, tmp_path / "model")


def change_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def change_weights(folder, change):
    path = folder / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path, metadata={"format": "pt"})


def enlarge_id(folder):
    path = folder / "tokenizer.json"
    pipeline = json.loads(path.read_text())
    pipeline["model"]["vocab"]["x"] = 4_000_000_000
    path.write_text(json.dumps(pipeline))


def truncate(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


DAMAGE = {
    "pointer": (
        lambda f: (f / "model.safetensors").write_text(POINTER),
        r"weights have 74 bytes; download the model again",
    ),
    "truncated": (truncate, "cannot load the model"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "weights have 0 bytes"),
    "lacking": (
        lambda f: change_weights(f, lambda w: w.pop("lm_head.weight")),
        r"lack 1 tensors, such as lm_head\.weight",
    ),
    "not numbers": (
        lambda f: change_weights(f, lambda w: w["model.norm.weight"].fill_(float("nan"))),
        "predicts values that are not numbers",
    ),
    "infinite": (
        lambda f: change_weights(f, lambda w: w["lm_head.weight"].fill_(float("inf"))),
        "predicts values that are not numbers",
    ),
    "other shape": (lambda f: change_config(f, hidden_size=32), "cannot load the model"),
    "no heads": (lambda f: change_config(f, num_attention_heads=0), "cannot load the model"),
    "text as a size": (lambda f: change_config(f, hidden_size="16"), "cannot load the model"),
    "layers": (lambda f: change_config(f, num_hidden_layers=10**9), "describes 1000000000 layers"),
    "vocabulary": (lambda f: change_config(f, vocab_size=2 * 10**9), "but its weights have"),
    "quantised": (
        lambda f: change_config(f, quantization_config={"quant_method": "gptq", "bits": 4}),
        "cannot load the model",
    ),
    "config of null": (lambda f: (f / "config.json").write_text("null"), "cannot load the model"),
    "deep config": (
        lambda f: (f / "config.json").write_text("[" * 100_000),
        "cannot load the model",
    ),
    "no tokenizer": (
        lambda f: [path.unlink() for path in f.glob("tokenizer*")],
        "cannot load the model",
    ),
    "an id for which there is no memory": (enlarge_id, "ids from 0 to 4000000000"),
    "pointer as tokenizer": (
        lambda f: (f / "tokenizer.json").write_text(POINTER),
        "cannot load the model",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_model_is_one_sentence(model, name):
    """If it fails, a broken download ends in a traceback, or is scored as if it were the model."""
    damage, sentence = DAMAGE[name]
    damage(model)
    with pytest.raises(PrerequisiteError, match=sentence) as caught:
        TransformersGenerator(str(model))
    assert "\n" not in str(caught.value)


def test_the_tokenizer_of_another_model_is_refused(tmp_path):
    small = LlamaConfig(max_position_embeddings=64, **{**SIZES, "vocab_size": 100})
    folder = save(tmp_path / "small", LlamaForCausalLM(small))
    with pytest.raises(PrerequisiteError, match="but the model knows only 100"):
        load_foreign_model(str(folder))


def test_what_is_no_causal_model_is_refused(tmp_path):
    """If it fails, an encoder's noise is called the score of a language model."""
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    width = {"encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "d_model": 16, "vocab_size": 300}
    bart = BartConfig(encoder_layers=1, decoder_layers=1, **heads, **width)
    save(tmp_path / "bart", BartForConditionalGeneration(bart))
    with pytest.raises(PrerequisiteError, match="is an encoder with a decoder"):
        load_foreign_model(str(tmp_path / "bart"))
    torch.manual_seed(0)
    bert = BertLMHeadModel(BertConfig(**SIZES))
    for parameter in bert.parameters():  # as if it were trained
        parameter.data.mul_(8)
    save(tmp_path / "bert", bert)
    with pytest.raises(PrerequisiteError, match="its tokens see those after them"):
        load_foreign_model(str(tmp_path / "bert"))


def test_a_models_own_generation_settings_do_not_apply(model):
    """If it fails, a repetition penalty that nobody asked for is part of a model's score."""
    plain = TransformersGenerator(str(model))
    own = {"num_beams": 4, "repetition_penalty": 9.0, "max_length": 20, "do_sample": False}
    (model / "generation_config.json").write_text(json.dumps(own))
    changed = TransformersGenerator(str(model))
    problem = Problem(task_id="t", prompt="x = 1\n", entry_point="f", test="")
    for temperature in (0.0, 1.0):
        generation = Generation(n=2, temperature=temperature, max_new_tokens=30)
        texts = plain.generate(problem, generation, first=0)
        assert texts == changed.generate(problem, generation, first=0)


def test_a_retrained_model_is_another_one(model):
    """If it fails, a run resumed after more training mixes the samples of two models."""
    before = load_foreign_model(str(model)).identity
    assert load_foreign_model(str(model)).identity == before
    change_weights(model, lambda weights: weights["lm_head.weight"].mul_(2))
    after = load_foreign_model(str(model)).identity
    assert {key for key in before if before[key] != after[key]} == {"files_sha256"}


def test_long_prompts_keep_their_start_and_their_sentinels(model):
    """If it fails, a model with a short context is prompted with half an infilling."""
    generator = TransformersGenerator(str(model))
    generator._tokenizer.add_bos_token = True
    generator._start_ids = lambda: [0]
    problem = Problem(
        task_id="t", prompt="a" * 99 + "b", suffix="c" + "d" * 99, entry_point="f", test=""
    )
    tokens = generator._tokenizer.convert_ids_to_tokens(generator._prompt_ids(problem, 24))
    assert len(tokens) == 24
    text = "".join(tokens)
    assert text == "<s><fim_prefix>" + "a" * 14 + "b<fim_suffix>cdddd<fim_middle>"
    left = Problem(task_id="t", prompt="a" * 99 + "b", entry_point="f", test="")
    tokens = generator._tokenizer.convert_ids_to_tokens(generator._prompt_ids(left, 24))
    assert "".join(tokens) == "<s>" + "a" * 22 + "b"
    short = Problem(task_id="t", prompt="ab", suffix="c" + "d" * 99, entry_point="f", test="")
    tokens = generator._tokenizer.convert_ids_to_tokens(generator._prompt_ids(short, 24))
    assert "".join(tokens) == "<s><fim_prefix>ab<fim_suffix>c" + "d" * 17 + "<fim_middle>"


def test_what_fails_while_generating_is_one_sentence(model, monkeypatch):
    generator = TransformersGenerator(str(model))

    def fail(*_, **__):
        raise RuntimeError("probability tensor contains inf\nin line two")

    monkeypatch.setattr(generator._model, "generate", fail)
    problem = Problem(task_id="t/1", prompt="x", entry_point="f", test="")
    with pytest.raises(PrerequisiteError, match=r"cannot continue t/1 \(probability tensor"):
        generator.generate(problem, Generation(n=1, max_new_tokens=8), first=0)
