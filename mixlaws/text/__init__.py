"""Text: from any source to token files with exact counts."""
