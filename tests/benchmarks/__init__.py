"""Speed: the worker against a bare read loop on the same records (`make bench`)."""
