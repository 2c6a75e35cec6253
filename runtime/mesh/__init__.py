"""gRPC links between nodes: the fast path for mail that is already in the store, and best-effort signals."""
