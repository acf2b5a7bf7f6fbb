"""The language server: what an editor asks about a specification while it is written.

One file a feature, each a function of a :class:`~circuitdsl.editor.page.Page` and a place in it; ``server`` translates
them into the Language Server Protocol. Nothing here imports torch before a claim is run.
"""
