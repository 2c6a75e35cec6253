"""Dead letters on the operator's page.

listing.py: groups, and the letters of one ──POST──▶ choosing.py: which exactly, what a check would refuse
                                                        │ POST, with their ids and who acts why
                                                        ▼
                                                     starting.py: a run that is kept in the store ──303──▶ runs/
"""
