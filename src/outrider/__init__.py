"""Outrider: a transactional outbox platform; what commits is delivered, in order per key, and takes effect once."""
