"""The operator's page: what a store tells, and what can be done about it, for people with a browser. It needs no node.

    a browser ──GET──▶ app.py ──▶ screens.py ──▶ overview, saga_list, actor, messages, search ──▶ operate, observe
        ▲                                              │ values
        │                                  templates/*.html, drawn by drawing.py
        ├──"these parts changed"── live.py, one reader for all who look
        └──GET /part─────────────▶ shared.py, which has drawn them once for all

    a browser ──POST──▶ app.py ──▶ posting.py ──▶ acts/, letters/, runs/ ──▶ operate ──303──▶ the screen that tells
                                                                                             what happened

guard.py      which requests are answered at all
forms.py      a form that has come: its fields, or why it is refused
seal.py       whether this process has drawn it
run_carrier.py  carries on operations over many sagas or many dead letters
server.py     listens, and ends when it is told to
desk.py       what the screens read from: a view of the store for each reading
exports.py    a conversation as a file
flows.py      the map of what the catalogue does
history.py    what each message has changed in a saga
known_catalogue.py  what the screens need of the project's catalogue
rail.py       the steps of a saga as pairs of do and undo
instants.py   ages and instants, which a browser counts on and shows in local time
on_node.py    the page of a node
links.py      addresses of the page, for any key
"""
