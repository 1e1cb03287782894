"""GPT-2 in ONNX Runtime behind the engine's interface: a contender of ``backends.py``.

The graph takes the keys and values of what stands before as inputs and returns those of the new
tokens; they are kept here, in blocks of positions, so that a step copies none of them.
"""

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

BLOCK = 128
HIDDEN = -1e9
FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


class OnnxCache:
    """Keys ``[H, D, S]`` and values ``[H, S, D]`` of each layer, S a multiple of a block."""

    def __init__(self, config, room=BLOCK):
        heads, width = config.n_head, config.n_embd // config.n_head
        self.room = room
        self.length = 0
        self.keys = [np.zeros((heads, width, room), np.float32) for _ in range(config.n_layer)]
        self.values = [np.zeros((heads, room, width), np.float32) for _ in range(config.n_layer)]

    def append(self, keys, values):
        """Takes the new tokens' ``[H, T, D]`` of each layer."""
        end = self.length + keys[0].shape[1]
        while end > self.room:
            self.keys = [np.concatenate([k, np.zeros_like(k[..., :BLOCK])], 2) for k in self.keys]
            self.values = [np.concatenate([v, np.zeros_like(v[:, :BLOCK])], 1) for v in self.values]
            self.room += BLOCK
        for kept, new in zip(self.keys, keys, strict=True):
            kept[:, :, self.length : end] = new.transpose(0, 2, 1)
        for kept, new in zip(self.values, values, strict=True):
            kept[:, self.length : end] = new
        self.length = end

    def truncate(self, length):
        self.length = min(length, self.length)


class OnnxNetwork:
    """Has ``new_cache``, ``extend`` and ``logits`` as the engine's ``Network`` has them."""

    def __init__(self, config, weights, folder, *, threads, is_int8):
        self.config = config
        path = folder / "network.onnx"
        onnx.save(_Graph(config, weights).model(), path)
        if is_int8:
            small = folder / "network-int8.onnx"
            quantize_dynamic(
                path,
                small,
                weight_type=QuantType.QInt8,
                per_channel=True,
                op_types_to_quantize=["MatMul"],
                extra_options={"MatMulConstBOnly": True},
            )
            path = small
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)

    def new_cache(self):
        return OnnxCache(self.config)

    def extend(self, ids, cache, *, n_last=None):
        """Returns ``[1, T, V]``: here the logits themselves, which ``logits`` then passes on."""
        new, past, room = ids.shape[1], cache.length, cache.room
        mask = np.full((new, room + new), HIDDEN, np.float32)
        mask[:, :past] = 0
        mask[:, room:] = np.triu(mask[:, room:], 1)
        feed = {"ids": ids[0].numpy(), "positions": np.arange(past, past + new), "mask": mask}
        feed["split"] = np.array([room, new])
        for i, (keys, values) in enumerate(zip(cache.keys, cache.values, strict=True)):
            feed[f"keys{i}"], feed[f"values{i}"] = keys, values
        logits, *kept = self._session.run(None, feed)
        cache.append(kept[::2], kept[1::2])
        return torch.from_numpy(logits)[None]

    def logits(self, hidden):
        return hidden


class _Graph:
    """Writes the graph, node by node."""

    def __init__(self, config, weights):
        self._config = config
        self._weights = {name: w.float().numpy() for name, w in weights.items()}
        self._nodes, self._constants = [], []
        self._heads, self._width = config.n_head, config.n_embd // config.n_head

    def model(self):
        config = self._config
        inputs = [
            helper.make_tensor_value_info("ids", INT, ["T"]),
            helper.make_tensor_value_info("positions", INT, ["T"]),
            helper.make_tensor_value_info("mask", FLOAT, ["T", "ST"]),
            helper.make_tensor_value_info("split", INT, [2]),
        ]
        self._constant("thirds", np.full(3, config.n_embd))
        self._constant("apart", np.array([0, self._heads, self._width]))
        self._constant("together", np.array([0, config.n_embd]))
        self._constant("scale", np.array(self._width**-0.5, np.float32))
        tokens = self._node("Gather", self._weight("transformer.wte.weight"), "ids")
        places = self._node("Gather", self._weight("transformer.wpe.weight"), "positions")
        x = self._node("Add", tokens, places)
        outputs = []
        for layer in range(config.n_layer):
            shape = [self._heads, self._width, "S"], [self._heads, "S", self._width]
            for name, of in zip(("keys", "values"), shape, strict=True):
                inputs.append(helper.make_tensor_value_info(f"{name}{layer}", FLOAT, of))
            x, keys, values = self._layer(x, layer)
            of = [self._heads, "T", self._width]
            outputs += [helper.make_tensor_value_info(name, FLOAT, of) for name in (keys, values)]
        x = self._norm(x, "transformer.ln_f")
        head = self._constant("head", self._weights["transformer.wte.weight"].T)
        logits = self._node("MatMul", x, head)
        first = helper.make_tensor_value_info(logits, FLOAT, ["T", config.vocab_size])
        graph = helper.make_graph(
            self._nodes, "gpt2", inputs, [first, *outputs], initializer=self._constants
        )
        opset = [helper.make_opsetid("", 20)]
        return helper.make_model(graph, opset_imports=opset, ir_version=9)

    def _layer(self, x, layer):
        name = f"transformer.h.{layer}"
        merged = self._affine(self._norm(x, f"{name}.ln_1"), f"{name}.attn.c_attn")
        parts = self._node("Split", merged, "thirds", n_outputs=3, axis=-1)
        parts = [self._node("Reshape", part, "apart") for part in parts]  # [T, H, D]
        q, k, v = (self._node("Transpose", part, perm=[1, 0, 2]) for part in parts)
        q = self._node("Mul", q, "scale")
        before = self._node("MatMul", q, f"keys{layer}")
        turned = self._node("Transpose", parts[1], perm=[1, 2, 0])
        scores = self._node("Concat", before, self._node("MatMul", q, turned), axis=-1)
        shares = self._node("Softmax", self._node("Add", scores, "mask"), axis=-1)
        old, new = self._node("Split", shares, "split", n_outputs=2, axis=-1)
        y = self._node(
            "Add", self._node("MatMul", old, f"values{layer}"), self._node("MatMul", new, v)
        )
        y = self._node("Reshape", self._node("Transpose", y, perm=[1, 0, 2]), "together")
        x = self._node("Add", x, self._affine(y, f"{name}.attn.c_proj"))
        wide = self._affine(self._norm(x, f"{name}.ln_2"), f"{name}.mlp.c_fc")
        wide = self._node("Gelu", wide, approximate=self._config.gelu_form)
        return self._node("Add", x, self._affine(wide, f"{name}.mlp.c_proj")), k, v

    def _affine(self, x, name):
        product = self._node("MatMul", x, self._weight(f"{name}.weight"))
        return self._node("Add", product, self._weight(f"{name}.bias"))

    def _norm(self, x, name):
        gain, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        epsilon = self._config.layer_norm_epsilon
        return self._node("LayerNormalization", x, gain, bias, axis=-1, epsilon=epsilon)

    def _weight(self, name):
        return self._constant(name, self._weights[name])

    def _constant(self, name, value):
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _node(self, operator, *inputs, n_outputs=None, **attributes):
        names = [f"n{len(self._nodes)}_{i}" for i in range(n_outputs or 1)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names if n_outputs else names[0]
