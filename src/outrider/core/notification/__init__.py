"""Values of notifications: what a channel is given and gives back, and what a record is.

Invariant: frozen, pure, and free of any channel's or provider's own words. `outrider.notification` decides on them,
`outrider.channels` sends, `outrider.storages` keep them. Source: spec/notification.md.
"""
