"""The version, in one place, where the build reads it; and the packages whose versions count beside it."""

__version__ = "0.2.0"

RUNNING = ("torch", "transformer-lens", "transformers", "numpy")
"""Packages by whose versions a model computes what it computes."""

JUDGED = (*RUNNING, "scipy")
"""And by whose it is judged."""


def versions(packages: tuple[str, ...] = RUNNING) -> dict[str, str]:
    """Versions of circuitdsl, Python and some packages in this process."""
    import platform
    from importlib.metadata import version  # here, since the build reads this file and needs none of it

    own = {"circuitdsl": __version__, "python": platform.python_version()}
    return own | {package: version(package) for package in packages}
