"""The fast engine: the plain engine's figures from a fraction of its work, exact to rounding.

``architecture`` is a transformer's definition over plain tensors, ``weights`` reads it off an open model and proves
that the two agree; ``region``, ``edits``, ``live`` and ``frozen`` run only what a patch can change; ``engine`` plans.
"""
