"""Joint laws: one law in (N, D, r) per validation domain."""
