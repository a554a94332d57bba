"""Generic webhooks after Standard Webhooks 1.0.0: signed, with an id that stays the same over retries.

Invariant: every attempt of one content sends the same bytes under the same `webhook-id`; only time and signature differ.
"""
