"""Two or more result tables side by side: faster, slower, the same, or not known."""
