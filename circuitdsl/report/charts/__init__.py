"""Charts, each one Altair specification that serves a page, a notebook, and SVG and PNG."""
