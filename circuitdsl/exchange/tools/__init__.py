"""The formats of other tools, one file a tool."""
