"""The client that people place orders with."""
