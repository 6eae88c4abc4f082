"""From any text to exact token files."""
