"""``python -m circuitdsl``, and the script of that name: from the first line on, Ctrl-C ends it with a word and 130."""

import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import NoReturn

EXIT_INTERRUPTED = 130  # as shells count Ctrl-C


def main() -> None:
    """Run the command line. Until a command begins there is nothing to be kept, and an interrupt ends all at once."""
    signal.signal(signal.SIGINT, _end)
    try:
        from circuitdsl.cli import main as run  # here, so that an interrupt of the import is met, too

        run()
    except SystemExit as ended:
        if ended.code == EXIT_INTERRUPTED:
            _exit()
        raise
    finally:
        # Python takes itself apart now, and would print what an interrupt breaks.
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    os.write(sys.__stderr__.fileno() if sys.__stderr__ is not None else 2, b"interrupted\n")
    os._exit(EXIT_INTERRUPTED)


def _exit() -> NoReturn:
    """End at once: where an interrupt came while a string was executed, Python would end by the signal all the same,
    although it was met."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
