"""What people and programs may look at and change of notifications, once for the command line and for HTTP.

Invariant: a change and its audit row commit together; nothing secret leaves but masked, and texts only
where they are asked for.
"""
