"""Mixtures of domains, and designs that choose which ones to train."""
