"""Mixtures and the designs that choose which ones to train."""
