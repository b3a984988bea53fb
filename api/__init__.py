"""What people and scrapers touch: the command line, HTTP, metrics, the live page."""
