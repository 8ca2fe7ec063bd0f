"""The trained network -> an int8 ONNX file with its tokenizer and their checksums."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from rag.errors import RecapError
from rag.model.reader import MODEL_DIR, MODEL_FILE, SUMS_FILE, TOKENIZER_FILE
from rag.store.embed import packaged_model_dir
from rag.train.net import ReaderNet

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUTS = ("start", "end", "relevance")


def export(net: ReaderNet, folder: Path, *, ship: bool, tell: Callable[[str], None]) -> Path:
    """Write `folder`/fp32 and `folder`/int8, each a model that ReaderModel loads; return the int8 one. Raises: RecapError."""
    try:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as e:
        raise RecapError("Writing the ONNX file needs one more package. Run `pip install 'recap[train]'`.") from e
    exact, small = folder / "fp32", folder / "int8"
    for each in (exact, small):
        each.mkdir(parents=True, exist_ok=True)
    example = tuple(torch.ones((2, 16), dtype=torch.long) for _ in INPUTS)
    axes = {name: {0: "n", 1: "length"} for name in (*INPUTS, "start", "end")} | {"relevance": {0: "n"}}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.cpu().eval(), example, str(exact / MODEL_FILE), input_names=list(INPUTS), output_names=list(OUTPUTS),
            dynamic_axes=axes, opset_version=17, dynamo=False,
        )  # fmt: skip
    prepared = folder / "prepared.onnx"
    quant_pre_process(str(exact / MODEL_FILE), str(prepared), skip_symbolic_shape=True)
    # The heads stay exact: they are 0.1% of the work, and what they say is compared to thousandths.
    heads = [
        n.name
        for n in onnx.load(str(prepared), load_external_data=False).graph.node
        if n.name.startswith(("/span", "/relevance"))
    ]
    quantize_dynamic(
        str(prepared), str(small / MODEL_FILE), weight_type=QuantType.QInt8, per_channel=True, nodes_to_exclude=heads
    )
    prepared.unlink()
    for each in (exact, small):
        shutil.copyfile(packaged_model_dir() / TOKENIZER_FILE, each / TOKENIZER_FILE)
        sums = {name: hashlib.sha256((each / name).read_bytes()).hexdigest() for name in (MODEL_FILE, TOKENIZER_FILE)}
        (each / SUMS_FILE).write_text(json.dumps(sums, indent=1) + "\n", encoding="utf-8")
        tell(f"{each / MODEL_FILE}: {(each / MODEL_FILE).stat().st_size / 1e6:.1f} MB")
    if ship:
        MODEL_DIR.mkdir(exist_ok=True)
        for name in (MODEL_FILE, TOKENIZER_FILE, SUMS_FILE):
            shutil.copyfile(small / name, MODEL_DIR / name)
    return small
