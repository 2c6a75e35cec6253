"""Our own laboratory: workloads, random programs, planted bugs and power cuts, and their command line."""
