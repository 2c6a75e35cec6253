"""The contracts of the runtime, and the Python that is generated from them."""
