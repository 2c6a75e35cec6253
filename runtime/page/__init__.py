"""The operator's page: what a store tells, for people with a browser. It only reads, and needs no node.

    a browser ──GET──▶ app.py ──▶ screens.py ──▶ overview, saga_list, actor, messages, search ──▶ operate, observe
        ▲                                              │ values
        │                                  templates/*.html, drawn by drawing.py
        └──"these parts changed"── live.py, one reader for all who look

server.py     listens, and ends when it is told to
desk.py       what the screens read from: a view of the store for each reading
rail.py       the steps of a saga as pairs of do and undo
links.py      addresses of the page, for any key
"""
