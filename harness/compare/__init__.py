"""Two result tables side by side: faster, slower, the same, or not known. Pure: reads no file and no clock."""
