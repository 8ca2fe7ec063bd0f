"""The reader's model: the files (reader.onnx, tokenizer.json, their sums, CARD.md) and what runs them."""
