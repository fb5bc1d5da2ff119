"""Time and order: a timeline of callbacks, events and generator processes."""
