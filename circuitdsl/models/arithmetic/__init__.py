"""``addition`` and ``arithmetic``: small transformers that were trained on sums and differences of three digits.

``addition`` learnt sums. ``arithmetic`` began with its weights, under one more layer, and learnt sums and
differences: the experiment of Quirke et al. 2024 (arXiv:2402.02619), in small. Each folder is a Hugging Face GPT-2
model (weights in float16) with its tokenizer; ``training_log.json`` tells how the training went,
``python -m circuitdsl.models.arithmetic.train NAME --out DIR`` trains it again, and
``python -m circuitdsl.models.arithmetic.correctness NAME`` asks it all there is to ask. Nobody planted their circuits.
"""
