"""``acronyms``: a small transformer that was trained to spell acronyms, and ships with the package.

The words of its training have one to three tails each, so that a word has no fixed place. The folder is a Hugging Face
GPT-2 model (weights in float16) with its tokenizer; ``training_log.json`` tells how the training went and
``python -m circuitdsl.models.acronyms.train --out DIR`` trains it again. Nobody planted its circuits.
"""
