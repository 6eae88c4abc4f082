"""The experiment's config: its schema, its defaults and its checks."""
