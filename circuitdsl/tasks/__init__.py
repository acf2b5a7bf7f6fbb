"""Tasks: prompts with named positions, answers and counterfactuals, for any tokenizer.

One file a task; ``file("my.jsonl")`` brings anybody's own prompts. Importing this loads no model library.
"""

from circuitdsl.tasks.layout import Layout
from circuitdsl.tasks.prompts import Prompt, PromptSet, TextPrompt
from circuitdsl.tasks.registry import describe, draw, draw_all, files_of, open_task, task_names
from circuitdsl.tasks.task import Listing, Opener, ReadsFiles, Task, TaskError

__all__ = [
    "Layout",
    "Listing",
    "Opener",
    "Prompt",
    "PromptSet",
    "ReadsFiles",
    "Task",
    "TaskError",
    "TextPrompt",
    "describe",
    "draw",
    "draw_all",
    "files_of",
    "open_task",
    "task_names",
]
