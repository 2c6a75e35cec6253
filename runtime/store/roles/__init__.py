"""The store's port by role: whoever uses a store asks for the role that he needs, and for no more."""
