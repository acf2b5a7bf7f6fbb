"""One of everything that a package can add to circuitdsl; its pyproject.toml says under which names."""
