"""What was found, as typed records, and the JSON contract; one file a kind of block."""

from circuitdsl.outcome.argument import Fact, Step, StepKind, argue
from circuitdsl.outcome.atlas import Atlas, AtlasCell, AtlasFunction
from circuitdsl.outcome.attribution import AttributionReport, ErrorAttribution, FeatureAttribution
from circuitdsl.outcome.circuit import (
    CircuitReport,
    HeadOutcome,
    OnModel,
    Performance,
    ReferenceSize,
    Screening,
    Search,
)
from circuitdsl.outcome.claims import (
    EXIT_ERROR,
    EXIT_FAILS,
    EXIT_HOLDS,
    EXIT_INPUT,
    EXIT_UNDECIDED,
    ClaimOutcome,
    Part,
    Variant,
    exit_code,
)
from circuitdsl.outcome.comparison import ComparisonReport
from circuitdsl.outcome.diff import CircuitDiff
from circuitdsl.outcome.draft import DraftReport, DraftRole, Fed, Into, Refused, StageOutcome
from circuitdsl.outcome.drift import Drift
from circuitdsl.outcome.examples import Examples, HeadLook, SinglePrompt
from circuitdsl.outcome.function import Cell, Dissociation, Function, FunctionalComparison
from circuitdsl.outcome.intervention import (
    Arm,
    Change,
    DirectEffect,
    Downstream,
    Example,
    HeadChange,
    InterventionReport,
)
from circuitdsl.outcome.panel import Panel, PanelClaim, PanelColumn, Unmeasured
from circuitdsl.outcome.ran import Cost, Ran
from circuitdsl.outcome.refinement import ClaimChange, Proposal, RefinementReport, SurveyOutcome
from circuitdsl.outcome.report import Report
from circuitdsl.outcome.sweep import Finding, SenderOutcome, SeriesOutcome, SweepReport

__all__ = [
    "EXIT_ERROR",
    "EXIT_FAILS",
    "EXIT_HOLDS",
    "EXIT_INPUT",
    "EXIT_UNDECIDED",
    "Arm",
    "Atlas",
    "AtlasCell",
    "AtlasFunction",
    "AttributionReport",
    "Cell",
    "Change",
    "CircuitDiff",
    "CircuitReport",
    "ClaimChange",
    "ClaimOutcome",
    "ComparisonReport",
    "Cost",
    "DirectEffect",
    "Dissociation",
    "Downstream",
    "DraftReport",
    "DraftRole",
    "Drift",
    "ErrorAttribution",
    "Example",
    "Examples",
    "Fact",
    "FeatureAttribution",
    "Fed",
    "Finding",
    "Function",
    "FunctionalComparison",
    "HeadChange",
    "HeadLook",
    "HeadOutcome",
    "InterventionReport",
    "Into",
    "OnModel",
    "Panel",
    "PanelClaim",
    "PanelColumn",
    "Part",
    "Performance",
    "Proposal",
    "Ran",
    "ReferenceSize",
    "RefinementReport",
    "Refused",
    "Report",
    "Screening",
    "Search",
    "SenderOutcome",
    "SeriesOutcome",
    "SinglePrompt",
    "StageOutcome",
    "Step",
    "StepKind",
    "SurveyOutcome",
    "SweepReport",
    "Unmeasured",
    "Variant",
    "argue",
    "exit_code",
]
