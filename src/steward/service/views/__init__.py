"""The bodies of §12, made from rows: what http, web and the command line pass on as it is.

Invariant: values that JSON has, times as RFC 3339 in UTC with `Z`; the same rows always give the same body.
"""
