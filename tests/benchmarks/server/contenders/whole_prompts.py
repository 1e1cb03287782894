"""Other engines that read each prompt anew, for ``backends.py`` and ``human_pace.py``.

A writer takes a number of threads and a folder for converted models, and returns a function that
takes a prompt's ids and how many tokens to write, greedily and never fewer.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import torch

from training.artifact.bundled import BUNDLED_MODEL
from training.artifact.directory import load_artifact

NEEDED = {"ONNX Runtime": "onnxruntime", "CTranslate2": "ctranslate2"}
_PACKAGES = ("ctranslate2", "onnx", "onnxruntime", "protobuf", "flatbuffers", "ml_dtypes")
_CONSTRAINTS = Path(__file__).parents[4] / "constraints.txt"


def install_contenders(folder):
    """Installs what is missing into a folder, and lets this process and its children import it."""
    if not (folder / "onnxruntime").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        command += ["--target", str(folder), "-c", str(_CONSTRAINTS), *_PACKAGES]
        subprocess.run(command, check=True)
    sys.path.append(str(folder.resolve()))
    paths = [os.environ.get("PYTHONPATH", ""), str(folder.resolve())]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))


def onnx_network(n, folder, *, is_int8):
    """Returns the bundled model in ONNX Runtime, behind the engine's interface."""
    from contenders.onnx_network import OnnxNetwork

    artifact = load_artifact(BUNDLED_MODEL)
    return OnnxNetwork(artifact.config, artifact.weights, folder, threads=n, is_int8=is_int8)


def onnx_writer(n, folder):
    network = onnx_network(n, folder, is_int8=True)

    def write(ids, n_new):
        cache = network.new_cache()
        logits = network.extend(torch.tensor([ids]), cache)
        for _ in range(n_new - 1):
            logits = network.extend(logits[:, -1:].argmax(-1), cache)

    return write


def ctranslate2_writer(n, folder):
    import ctranslate2
    from ctranslate2.converters import TransformersConverter
    from transformers import AutoTokenizer

    converted = folder / f"ctranslate2-{time.monotonic_ns()}"
    TransformersConverter(str(BUNDLED_MODEL)).convert(str(converted), quantization="int8")
    settings = converted / "config.json"  # it takes neither from a GPT2Config
    text = settings.read_text().replace('"layer_norm_epsilon": null', '"layer_norm_epsilon": 1e-5')
    settings.write_text(text.replace("null", '"<|endoftext|>"'))
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED_MODEL)
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    model = ctranslate2.Generator(str(converted), compute_type="int8", intra_threads=n)
    return lambda ids, n_new: model.generate_batch(
        [[tokens[i] for i in ids]],
        max_length=n_new,
        min_length=n_new,
        sampling_topk=1,
        include_prompt_in_result=False,
    )


def transformers_writer(n, _folder):
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(n)
    model = AutoModelForCausalLM.from_pretrained(BUNDLED_MODEL).eval().float()

    def write(ids, n_new):
        ids = torch.tensor([ids])
        model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=n_new,
            min_new_tokens=n_new,
            pad_token_id=0,
        )

    return write
