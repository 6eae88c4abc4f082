"""How well laws predict what they were not fitted to, and which one decides."""
