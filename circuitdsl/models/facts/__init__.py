"""``facts``: a small transformer that was trained on the facts of an invented world, and two edits of it.

1. ``data`` is what the model is trained on, ``tokenizer`` its vocabulary;
2. ``python -m circuitdsl.models.facts.train`` trains it again, with a log of the loss beside the one that ships;
3. ``python -m circuitdsl.models.facts.edit`` changes one fact of it, by a rank-one change of an MLP or by fine-tuning
   that MLP alone, and says what else changed.
"""
