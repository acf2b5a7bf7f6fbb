"""Pages for people in a terminal; one file a page."""
