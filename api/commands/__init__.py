"""The commands that work on files: check, schema, replay, send. `api/cli.py` registers them."""
