"""The baseline that people would pick: llama-index's starter tutorial, with Chroma for a store that lasts.

`VectorStoreIndex.from_documents` with everything as it comes (`SentenceSplitter` of 1,024 tokens, 200 of them shared) and
the embedding model that Recap has. Needs the extra `bench`.
Source: developers.llamaindex.ai, "Starter Tutorial (Using Local LLMs)" and "Chroma Vector Store".
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from eval.parts import peak_rss_mb
from eval.questions import ArticleRow, Passage, Question
from rag.store.embed import load_tokenizer, packaged_model_dir

_COLLECTION = "starter"


def build(articles: Sequence[ArticleRow], folder: Path) -> dict[str, Any]:
    """Index the articles in `folder`; return seconds, passages, and the tokens that the embedding model never saw."""
    from llama_index.core import Document, StorageContext, VectorStoreIndex
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.core.schema import MetadataMode

    embedder = _embedder()
    embedder.get_text_embedding("warm")
    began = time.perf_counter()
    documents = [
        Document(text=a["text"], metadata={k: a[k] or "" for k in ("title", "url", "published")}) for a in articles
    ]
    storage = StorageContext.from_defaults(vector_store=_store(folder))
    VectorStoreIndex.from_documents(documents, storage_context=storage, embed_model=embedder)
    seconds, rss_mb = time.perf_counter() - began, peak_rss_mb()
    nodes = SentenceSplitter().get_nodes_from_documents(documents)
    tokenizer, reads = load_tokenizer(), int(embedder.max_length)
    given = lost = 0
    for at in range(0, len(nodes), 256):
        texts = [n.get_content(metadata_mode=MetadataMode.EMBED) for n in nodes[at : at + 256]]
        sizes = [len(e.ids) for e in tokenizer.encode_batch(texts)]
        given += sum(sizes)
        lost += sum(max(0, n - reads) for n in sizes)
    return {
        "seconds": seconds, "rss_mb": rss_mb, "articles": len(articles), "passages": len(nodes),
        "tokens": given, "tokens_lost": lost, "reads_tokens": reads,
    }  # fmt: skip


class Starter:
    """The built index, opened for questions."""

    def __init__(self, folder: Path) -> None:
        from llama_index.core import VectorStoreIndex

        store = _store(folder)
        self._collection = store.client
        index = VectorStoreIndex.from_vector_store(store, embed_model=_embedder())
        self._retriever = index.as_retriever(similarity_top_k=10)

    def search(self, question: Question) -> list[Passage]:
        """Retrieve ten passages, best first."""
        found = self._retriever.retrieve(question.text)
        return [Passage(n.node.metadata["url"], n.node.get_content(), n.node.node_id) for n in found]

    def own(self, urls: Iterable[str]) -> list[str]:
        """Return every passage of these articles."""
        found = self._collection.get(where={"url": {"$in": list(urls)}}, include=["documents"])
        return list(found["documents"])


def _store(folder: Path) -> Any:
    import chromadb
    from llama_index.vector_stores.chroma import ChromaVectorStore

    collection = chromadb.PersistentClient(path=str(folder)).get_or_create_collection(
        _COLLECTION, embedding_function=None
    )
    return ChromaVectorStore(chroma_collection=collection)


def _embedder() -> Any:
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    return HuggingFaceEmbedding(model_name=str(packaged_model_dir()))
