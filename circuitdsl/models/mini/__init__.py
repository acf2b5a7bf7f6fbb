"""``mini``: a small transformer that was really trained, on IOI and Colored Objects, and ships with the package.

The folder is a Hugging Face GPT-2 model (weights in float16) with its tokenizer; ``training_log.json`` tells how
the training went and ``python -m circuitdsl.models.mini.train --out DIR`` trains it again, with ``--keep-every 250``
keeping checkpoints. Nobody planted its circuits.
"""
