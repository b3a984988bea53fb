"""`sqm verify`: what is in `sqm.state` against what the events make of it."""
