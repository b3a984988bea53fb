"""The fault table: whatever fails, the figures are those of what was sent. Short in the tests, long by `make soak`."""
