"""What a circuit can be made of, one file a kind, and the shape of the models that have it. No torch."""

from circuitdsl.components.base import Absent, Component, Numbers, can_carry
from circuitdsl.components.dictionary import Dictionary, Point
from circuitdsl.components.embedding import Embed, PosEmbed
from circuitdsl.components.feature import ErrorTerm, Feature, OfDictionary
from circuitdsl.components.geometry import Geometry
from circuitdsl.components.head import Head, all_heads
from circuitdsl.components.mlp import Mlp, all_mlps
from circuitdsl.components.neuron import Neuron
from circuitdsl.components.node import ALL, END, Node, Position
from circuitdsl.components.registry import kinds
from circuitdsl.components.residual import Residual

__all__ = [
    "ALL",
    "END",
    "Absent",
    "Component",
    "Dictionary",
    "Embed",
    "ErrorTerm",
    "Feature",
    "Geometry",
    "Head",
    "Mlp",
    "Neuron",
    "Node",
    "Numbers",
    "OfDictionary",
    "Point",
    "PosEmbed",
    "Position",
    "Residual",
    "all_heads",
    "all_mlps",
    "can_carry",
    "kinds",
]
