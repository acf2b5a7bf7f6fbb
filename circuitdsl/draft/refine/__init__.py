"""A specification against its model: what of it does nothing, what it lacks, and its file with the changes made.

1. ``asked``: the file, its circuit and two halves of prompts, as of a draft.
2. ``inquiry``: the same is asked of many things on one half, corrected for all of them, and asked again of what
   entered on the other half.
3. ``members``: listed nodes that do nothing (``superfluous``), nodes that act and are not listed, and where
   (``outside``), and which role they are like (``joining``).
4. ``splits``: roles whose members look or act in two ways.
5. ``edges``: edges that are stated and empty, and edges between roles that are there and not stated.
6. ``amendments`` and ``editing``: the text with the changes made one by one, but for those that it would be wrong with.
7. ``claims``: what of the author's claims becomes false by it.

``refining`` joins them.
"""
