"""The machinery of the book: chapters, cache, execution, pages, HTML."""
