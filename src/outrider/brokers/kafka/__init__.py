"""Apache Kafka by confluent-kafka (librdkafka): idempotent and transactional publishing, and a group consumer.

Invariant: a client belongs to the process that made it, and a publisher that met an unknown outcome throws its client
away, so nothing of it reaches the broker after the outcome was given.
"""
