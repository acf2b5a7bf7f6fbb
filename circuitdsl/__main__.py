"""``python -m circuitdsl``."""

from circuitdsl.cli import main

if __name__ == "__main__":
    main()
