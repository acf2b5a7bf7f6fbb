"""Tasks: prompts with named positions, answers and counterfactuals, for any tokenizer.

One file a task; ``file("my.jsonl")`` brings anybody's own prompts. Importing this loads no model library.
"""

from circuitdsl.language.environment import TaskRef
from circuitdsl.tasks.file_example import example_file
from circuitdsl.tasks.layout import Layout
from circuitdsl.tasks.prompts import FirstToken, Prompt, PromptSet, TextPrompt
from circuitdsl.tasks.registry import (
    describe,
    draw,
    draw_all,
    examine,
    files_of,
    open_task,
    open_usable,
    task_names,
)
from circuitdsl.tasks.task import Examination, Examined, Listing, Opener, ReadsFiles, Task, TaskError

__all__ = [
    "Examination",
    "Examined",
    "FirstToken",
    "Layout",
    "Listing",
    "Opener",
    "Prompt",
    "PromptSet",
    "ReadsFiles",
    "Task",
    "TaskError",
    "TaskRef",
    "TextPrompt",
    "describe",
    "draw",
    "draw_all",
    "examine",
    "example_file",
    "files_of",
    "open_task",
    "open_usable",
    "task_names",
]
