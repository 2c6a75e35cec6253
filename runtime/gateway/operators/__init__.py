"""Who an operator is, for the doors that operators come by: AdminService and the page.

operator.py        a name, and what it may do
operators_file.py  the operators that somebody has written down, with the digests of their tokens
authenticator.py   from the headers of a call to an operator
"""
