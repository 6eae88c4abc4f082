"""What a run is, which runs there are, what they cost. Neither torch nor pandas."""
