"""``circuitdsl lsp``: the language server, for editors."""

from __future__ import annotations

from circuitdsl.cli.app import app
from circuitdsl.errors import InputError


@app.command("lsp")
def language_server() -> None:
    """Answer an editor in the Language Server Protocol, on standard input and output.

    Diagnostics, completion, hover, definitions, renaming, formatting, and a lens that checks one claim. See
    docs/editors.md.
    """
    try:
        from circuitdsl.editor.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol"):
            raise
        raise InputError("the language server needs pygls", "pip install 'circuitdsl[lsp]'") from error
    serve()
