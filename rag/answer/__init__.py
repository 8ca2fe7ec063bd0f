"""From hits to an answer: the reader, the language model, and the check of every sentence."""
