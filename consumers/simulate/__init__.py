"""Simulated services for the demo: seeded, with rhythm, history and incidents, published through Kafka."""
