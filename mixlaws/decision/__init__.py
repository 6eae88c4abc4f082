"""From fitted laws to the best mixture at the target, with intervals."""
