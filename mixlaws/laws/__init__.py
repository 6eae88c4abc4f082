"""The laws: step, size, mixing and joint. numpy and scipy only."""
