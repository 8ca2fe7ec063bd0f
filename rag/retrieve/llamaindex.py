"""Our search as a llama-index retriever, to be dropped into a program of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.retrieve.search import search

if TYPE_CHECKING:
    from llama_index.core.base.base_retriever import BaseRetriever

    from rag.store.library import Library


def as_retriever(library: Library, *, top_k: int = 8) -> BaseRetriever:
    """Wrap `search` as a llama-index `BaseRetriever`: one node a hit, with its article's facts as metadata."""
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

    class RecapRetriever(BaseRetriever):  # type: ignore[misc]
        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            return [
                NodeWithScore(
                    node=TextNode(
                        id_=hit.chunk.id,
                        text=hit.chunk.text,
                        start_char_idx=hit.chunk.start,
                        end_char_idx=hit.chunk.end,
                        metadata={
                            "title": hit.article.title,
                            "source": hit.article.url or hit.article.source,
                            "published": hit.article.published.isoformat() if hit.article.published else None,
                            "event": hit.article.event.label if hit.article.event else None,
                        },
                    ),
                    score=hit.score,
                )
                for hit in search(library, query_bundle.query_str, top_k=top_k)
            ]

    return RecapRetriever()
