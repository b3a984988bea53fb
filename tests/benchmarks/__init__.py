"""Speed: the worker beside a bare read loop and Kafka Streams on the same records (`make bench`)."""
