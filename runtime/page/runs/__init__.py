"""Operations over many sagas or many dead letters, on the operator's page.

listing.py    all of them, and one with what came of each item
steering.py   cancels one, or resumes it
sagas.py      chooses the sagas of a new one, and begins it
saying.py     what each of these forms asks for
"""
