"""The specification language: text -> syntax tree -> resolved circuits, with diagnostics and a formatter.

``parse`` makes a tree (``tree``) of a text (``source``), ``resolve`` looks its names up and makes a ``Document``
(``circuit``), ``format`` prints trees. What is wrong is told as ``diagnostics``.
"""
