"""Everything that moves bytes: Kafka, files, the broker of the demo, deliveries."""
