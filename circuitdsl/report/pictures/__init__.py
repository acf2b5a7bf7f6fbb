"""Pictures as standalone SVG."""
