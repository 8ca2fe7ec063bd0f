"""The reader's network: the packaged MiniLM encoder with a span head and a relevance head.

Source: the two heads are those of DPR's reader (Karpukhin et al., "Dense Passage Retrieval for Open-Domain Question
Answering", EMNLP 2020); "not here" is the span of [CLS], as for SQuAD 2.0 (Devlin et al., 2019).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


class ReaderNet(nn.Module):
    """(n, length) ids, mask, segments -> (n, length) start and end scores, (n,) relevance. Column 0 means "not here"."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        size = int(encoder.config.hidden_size)
        self.span = nn.Linear(size, 2)
        self.relevance = nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Linear(size, 1))

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state  # (n, length, 384)
        scores = self.span(hidden).float()
        # Only the passage (segment 1) and [CLS] may be pointed at: not the question, the header or the padding.
        open_ = token_type_ids.bool() & attention_mask.bool()
        open_ = torch.cat([torch.ones_like(open_[:, :1]), open_[:, 1:]], dim=1)
        scores = scores.masked_fill(~open_[:, :, None], -1e4)
        return scores[:, :, 0], scores[:, :, 1], self.relevance(hidden[:, 0]).float().squeeze(-1)


def new_net(model_dir: Path, *, dropout: float = 0.1) -> ReaderNet:
    """Load the packaged encoder under new heads; its word embeddings stay as they are."""
    from transformers import BertModel
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    encoder = BertModel.from_pretrained(  # nosec B615  # a folder
        model_dir,
        local_files_only=True,
        add_pooling_layer=False,
        attn_implementation="eager",  # 1.4 times as fast to train on a CPU in bf16 as the fused one
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=0.0,
    )
    encoder.embeddings.word_embeddings.weight.requires_grad = False
    return ReaderNet(encoder)
