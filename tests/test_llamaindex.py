from __future__ import annotations

from pathlib import Path

from rag.retrieve.llamaindex import as_retriever
from rag.retrieve.search import search
from tests.small_coverage import small_library


def test_the_retriever_finds_what_search_finds(tmp_path: Path) -> None:
    question = "who hosted the 2024 Lantern Music Awards"
    with small_library(tmp_path) as library:
        nodes = as_retriever(library, top_k=4).retrieve(question)
        hits = search(library, question, top_k=4)
    assert [n.node.node_id for n in nodes] == [h.chunk.id for h in hits]
    assert [n.score for n in nodes] == [h.score for h in hits]
    assert nodes[0].node.get_content() == hits[0].chunk.text
    assert nodes[0].node.metadata["title"] == hits[0].article.title
