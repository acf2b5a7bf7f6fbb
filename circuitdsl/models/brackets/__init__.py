"""``brackets``: a small transformer that was trained on brackets of two kinds, ``([]()`` and what may follow.

A Hugging Face GPT-2 model (weights in float16) with its tokenizer; ``training_log.json`` tells how the training went,
and ``python -m circuitdsl.models.brackets.train`` trains it again. Nobody planted its circuits, and all prompts of its
task can be asked.
"""
