"""Results for people: one set of blocks, rendered as text, Markdown or a page."""
