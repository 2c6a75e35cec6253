"""Acts on one saga, or on the timers of one actor, from the operator's page.

    offer.py ──link──▶ asking.py: a form ──POST──▶ doing.py: a preview ──POST──▶ doing.py: posted ──303──▶ told.py

drafted.py      the act that a form says
"""
