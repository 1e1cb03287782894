"""The one table of infilling layouts, against what each family's model card says."""

import json

import pytest

from server.backends.fim_templates import TEMPLATES, find_template, read_template
from training.foundation.errors import ArtifactError

# A family's sentinels as its tokenizer spells them, and the prompt of its model card for prefix "P"
# and suffix "S": as text, and as parts in the order of ids.
CARDS = {
    "CodeGemma, Qwen2.5-Coder": (
        ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
        "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>",
        ["<|fim_prefix|>", "P", "<|fim_suffix|>", "S", "<|fim_middle|>"],
    ),
    "StarCoder, StarCoder2, Granite Code": (
        ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
        "<fim_prefix>P<fim_suffix>S<fim_middle>",
        ["<fim_prefix>", "P", "<fim_suffix>", "S", "<fim_middle>"],
    ),
    "SantaCoder": (
        ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
        "<fim-prefix>P<fim-suffix>S<fim-middle>",
        ["<fim-prefix>", "P", "<fim-suffix>", "S", "<fim-middle>"],
    ),
    "DeepSeek-Coder": (
        ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
        "<｜fim▁begin｜>P<｜fim▁hole｜>S<｜fim▁end｜>",
        ["<｜fim▁begin｜>", "P", "<｜fim▁hole｜>", "S", "<｜fim▁end｜>"],
    ),
    "Code Llama": (
        ("▁<PRE>", "▁<SUF>", "▁<MID>"),
        "<PRE> P <SUF>S <MID>",
        ["▁<PRE>", "P", "▁<SUF>", "S", "▁<MID>"],
    ),
    "Code Llama without SentencePiece": (
        ("<PRE>", "<SUF>", "<MID>"),
        "<PRE> P <SUF>S <MID>",
        ["<PRE>", "P", "<SUF>", "S", "<MID>"],
    ),
    "Codestral": (
        ("[SUFFIX]", "[PREFIX]"),
        "[SUFFIX]S[PREFIX]P",
        ["[SUFFIX]", "S", "[PREFIX]", "P"],
    ),
}


@pytest.fixture
def folder(tmp_path):
    def write(added, vocabulary=()):
        content = {
            "added_tokens": [{"id": i, "content": token} for i, token in enumerate(added)],
            "model": {"vocab": {token: i for i, token in enumerate(vocabulary)}},
        }
        (tmp_path / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
        return tmp_path

    return write


@pytest.mark.parametrize("family", CARDS)
def test_a_prompt_is_laid_out_as_the_model_card_says(family, folder):
    """A wrong sentinel is text to the model: nothing fails, and suggestions are worse."""
    sentinels, text, parts = CARDS[family]
    for template in (
        find_template({"a", "b", *sentinels}),
        read_template(folder(["<s>", *sentinels])),
        read_template(folder(["<s>"], ["a", *sentinels])),  # as Code Llama has them
    ):
        assert template.format_prompt("P", "S") == text
        names = dict(enumerate((*sentinels, "P", "S")))
        ids = {token: number for number, token in names.items()}
        ordered = template.order_parts([ids["P"]], [ids["S"]], ids)
        assert [names[number] for number in ordered] == parts


def test_every_template_has_a_card():
    """If it fails, a spelling was added that nobody has compared with its card."""
    assert {frozenset(t.sentinels) for t in TEMPLATES} == {frozenset(c[0]) for c in CARDS.values()}


@pytest.mark.parametrize("missing", range(3))
def test_a_vocabulary_with_some_of_the_sentinels_has_no_template(missing):
    sentinels = [t for i, t in enumerate(CARDS["StarCoder, StarCoder2, Granite Code"][0])]
    del sentinels[missing]
    assert find_template(sentinels) is None
    assert find_template([]) is None


def test_braces_in_code_are_only_text(folder):
    """If it fails, a dictionary in the user's file is taken for a part of the template."""
    template = read_template(folder(CARDS["Codestral"][0]))
    assert template.format_prompt("{suffix}", "{0}") == "[SUFFIX]{0}[PREFIX]{suffix}"


def test_the_tokens_that_end_a_middle_are_those_of_the_tokenizer(folder):
    """If it fails, a model runs on into the next file, or a server refuses the stop list."""
    sentinels = CARDS["CodeGemma, Qwen2.5-Coder"][0]
    template = read_template(folder([*sentinels, "<|file_separator|>", "</s>", "<|im_end|>"]))
    assert template.ends == ("</s>", "<|file_separator|>")
    assert find_template(sentinels).ends == ()


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00"])
def test_what_is_no_tokenizer_is_one_sentence(tmp_path, content):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"tokenizer\.json"):
        read_template(tmp_path)
