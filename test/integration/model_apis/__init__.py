"""Servers that speak the model providers' HTTP APIs as their references document them, with scripted models behind.

    with ModelServer(authority) as server:     # a proxy for the real host names, see server.py
        server.calls[0].span_id                # who the request said its parent was

One module a provider; `scenes.py` says what a model is asked to do, by a word in its prompt. All bodies are made up.
"""
