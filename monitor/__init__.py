"""The pure core: events in, figures out. No I/O, no event loop, no clock of its own."""
