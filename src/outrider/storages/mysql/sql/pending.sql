-- The side rows of the messages that a subscription has to read. Source: spec/outbox.md OB-21, H54.

-- fragment: active_subscriptions
-- For who adds: read with LOCK IN SHARE MODE, so that a subscription made meanwhile sees all of the transaction or none.
{outrider_meta} AS gate STRAIGHT_JOIN {outbox_subscription} AS s ON gate.name = 'subscriptions'
