"""The explorer of the page: mixtures and targets that the reader chooses, evaluated in the page."""
