"""Who may ask, and for what.

registry.py   the clients' file
keys.py       their public keys
tokens.py     the checks of a token
scopes.py     what an access token of SMART lets read
allowance.py  how much each may ask
gate.py       a request → who asks; or 401, 403, 429
"""
