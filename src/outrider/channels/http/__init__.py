"""The guarded HTTP client, over httpcore2 (what httpx2 stands on): `ports.http.HttpClient`.

Invariant: a socket is opened to no address that was not checked for this very request, and each request has a connection of
its own: an idle one that the server has just given up would make an ordinary send ambiguous, and a person might be told
twice. Source: spec/notification.md NT-43.
"""
