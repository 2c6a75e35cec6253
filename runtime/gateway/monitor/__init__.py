"""What machines ask of a node over HTTP: does it live, is it ready, and its metrics. Needs the extra `metrics`."""
