"""How the reader's model is trained, made small and measured: `python -m rag.train`. Nothing else imports it.

What it needs beyond Recap itself: torch (installed anyway) and, to write the ONNX file, `pip install 'recap[train]'`.
"""
