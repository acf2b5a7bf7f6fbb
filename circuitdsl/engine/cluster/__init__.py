"""One engine on many machines: a Ray cluster on which each node has the model, and runs steps of every call.

1. ``executor`` says which cluster, and connects to it. ``workers`` has a worker on every node, ``worker`` is what runs
   there: it opens the model once, by its name, and runs steps (``engine.steps``) of the calls that it is given.
2. ``distributed`` is the engine: it hands out the steps of a call, a few to each worker, and takes what they find in
   the order of the steps (``course``). What was on a node that is lost is handed out again.

What passes between nodes are frozen dataclasses, numbers and arrays. No torch, but on the nodes.
"""
